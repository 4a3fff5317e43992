"""JSON lines, Arrow rows, chat-template messages and published layouts, to and from records.

The only package that handles raw dictionaries. `arguments` is a JSON string on the wire and in
Arrow (Arrow would merge the keys of different calls) and an object in memory and in chat templates.
"""
