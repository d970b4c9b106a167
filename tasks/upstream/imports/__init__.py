"""How hummingbot is imported in a child: without what a back-test never uses, and patched where it must be."""
