"""Where runs are tracked: an address that may hold a password, which nobody is to read."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import sqlalchemy

ADDRESS = "MLFLOW_TRACKING_URI"
SECONDS = 5  # that a database may take to answer


def try_to_open(uri: str) -> None:
    """Raise what is wrong with a database at ``uri``: it is away, locked, not to be written to.

    MLflow would try for minutes. An address of anything else passes.
    """
    scheme = urlsplit(uri).scheme
    if scheme.partition("+")[0] not in ("sqlite", "postgresql", "mysql", "mssql"):
        return
    url = sqlalchemy.make_url(uri)
    local = scheme.startswith("sqlite")
    if local and url.database and not url.database.startswith("file:"):
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    limit = {"timeout" if local else "connect_timeout": SECONDS}
    engine = sqlalchemy.create_engine(url, connect_args=limit, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        # For SQLite: the right to write, which it otherwise asks for only when something is.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if local else "SELECT 1")


def shown(uri: str) -> str:
    """The address for people: without user, password and options."""
    parts = urlsplit(uri)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def without_password(text: str, uri: str) -> str:
    """A message with every mention of ``uri``, and of the password in it, blotted out."""
    password = urlsplit(uri).password or ""
    for secret in (uri, password, unquote(password)):
        if secret:
            text = text.replace(secret, shown(uri) if secret == uri else "***")
    return text
