"""How hummingbot talks to exchanges, for downloads."""
