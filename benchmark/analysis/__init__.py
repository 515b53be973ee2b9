"""Tables computed from records; nothing is drawn here."""
