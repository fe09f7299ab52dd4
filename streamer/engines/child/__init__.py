"""Child processes of an engine, for work that must not share this process: messages to and from them, and their end."""
