"""Where runs are tracked: an address that may hold a password, which nobody is to read."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import sqlalchemy

ADDRESS = "MLFLOW_TRACKING_URI"
SECONDS = 5  # that a database may take to answer
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
OTHERS = ("", "file", "http", "https", "databricks", "databricks-uc", "uc")  # that MLflow knows


def try_to_open(uri: str) -> None:
    """Raise what is wrong with an address, or with a database there: it is away, locked, not to be
    written to.

    MLflow would try for minutes. An address of anything else passes.
    """
    parts = urlsplit(uri)
    scheme, host, _ = parts.scheme, parts.hostname, parts.port  # which says what is no port
    kind = scheme.partition("+")[0]
    if kind not in (*DATABASES, *OTHERS):
        raise ValueError(
            f"{scheme}: is none of the addresses that MLflow knows: http://host:5000, "
            "sqlite:///file.db, postgresql://user:password@host/database"
        )
    if kind in ("http", "https") and not host:
        raise ValueError("it names no host, as http://host:5000 does")
    if kind not in DATABASES:
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
    try:
        parts = urlsplit(uri)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:  # no port, or no host, that could be
        return f"{uri.partition(':')[0]}://…"
    if not parts.netloc and "://" not in uri:  # localhost:5000, or a path
        return uri.partition("?")[0]
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def without_password(text: str, uri: str) -> str:
    """A message with every mention of ``uri``, and of the password in it, blotted out."""
    try:
        password = urlsplit(uri).password or ""
    except ValueError:  # an address that cannot be
        password = ""
    for secret in (uri, password, unquote(password)):
        if secret:
            text = text.replace(secret, shown(uri) if secret == uri else "***")
    return text
