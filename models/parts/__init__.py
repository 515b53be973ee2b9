"""Parts of recognizers: support vector machines, codebooks, votes."""
