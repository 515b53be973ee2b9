"""The web page of `models.demo`: what it shows, its answers, and the server of both."""
