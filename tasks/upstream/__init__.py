"""The only room that imports hummingbot, and all that is known of its inner names."""
