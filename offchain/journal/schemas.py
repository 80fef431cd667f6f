"""The schemas of journals that share a database: one for each chain that has a name."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

SCHEMA_OF_CHAIN: Final = re.compile(r"paystream_[a-z0-9_]{1,32}")
_PREFIX: Final = "paystream_"
_OPTIONS: Final = re.compile(r"(?<=[?&])options=[^&]*")


def url_of_chain(url: str, name: str) -> str:
    """Give the URL of the journal of a chain with a name, beside the one without, as of `url`.

    It has a schema of its own in the same database, which the relayer makes. Every program that
    takes PostgreSQL's URLs is led there, too.
    """
    if not name:
        return url
    chosen = quote(f"-csearch_path={schema_of_chain(name)}")
    if _OPTIONS.search(url):
        return _OPTIONS.sub(lambda found: f"{found[0]}%20{chosen}", url)
    return f"{url}{'&' if '?' in url else '?'}options={chosen}"


def schema_of_chain(name: str) -> str:
    """Name the schema of a chain that has a name. Names have no underscores."""
    return _PREFIX + name.replace("-", "_")


def chain_of_schema(schema: str) -> str:
    """Give the name of the chain whose schema it is."""
    return schema.removeprefix(_PREFIX).replace("_", "-")
