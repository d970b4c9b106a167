"""The sweep file: read, checked, and told what is wrong with it."""
