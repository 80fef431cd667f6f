"""Whether what somebody says has a link, also one that is written so that no program sees it.

Nothing here follows one: no server and no page asks the other end for anything.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_ENDINGS: Final = (
    "app|art|biz|br|ca|cc|ch|click|cn|co|com|cz|de|dev|es|eu|fi|fr|gg|gl|in|info|io|it|jp|kr|link|"
    "live|ly|me|net|nl|no|online|onion|org|pl|pro|ru|se|shop|site|store|to|top|tv|ua|uk|us|vip|"
    "wtf|xxx|xyz"
)
_HOST: Final = r"[^\W_][\w-]{0,62}(?:\.[\w-]{1,63}){0,4}"
_LINK: Final = re.compile(
    rf"\b(?:[a-z][a-z0-9+.-]{{1,20}}:/{{1,2}}|hxxps?:|www\.)\S"  # named as one
    rf"|\b(?:mailto|magnet|tg|javascript|data):\S"
    rf"|(?<![\w@.]){_HOST}\.(?:{_ENDINGS})(?![\w-]|\.\w)"  # a host that nobody takes for a word
    rf"|(?<![\w@.]){_HOST}\.[a-z]{{2,24}}[/?#:]\S"  # any host with a path
    r"|(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?:[:/]\S|(?![\w.]))"
)
_SPELLED: Final = re.compile(r"\s*[(\[{<]?\s*\bdot\b\s*[)\]}>]?\s*|\s*[(\[{]\s*\.\s*[)\]}]\s*")
_STOPS: Final = str.maketrans("。․", "..")  # what browsers take for a full stop


def has_link(text: str) -> bool:
    """Tell whether a text has a link: a scheme, an address of the web, or `example dot com`."""
    seen = unicodedata.normalize("NFKC", text).translate(_STOPS).casefold()
    seen = "".join(one for one in seen if unicodedata.category(one) != "Cf")
    return bool(_LINK.search(seen) or _LINK.search(_SPELLED.sub(".", seen)))
