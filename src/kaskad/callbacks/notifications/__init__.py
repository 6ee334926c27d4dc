"""Messages about a run to people: notices, their outbox, and a Telegram bot."""
