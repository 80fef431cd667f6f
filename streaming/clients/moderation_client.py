"""What moderators and operators do in a server's community, as a typed client."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from streaming.clients.community_client import PREFIX, CommunityClient


class ModerationClient:
    """Moderation by somebody who has signed in. Every method raises `ClientError`."""

    def __init__(self, community: CommunityClient) -> None:
        self._community = community

    def __repr__(self) -> str:
        return f"<moderation by {self._community!r}>"

    # --- people ----------------------------------------------------------------------------

    async def mute(
        self,
        stream: int,
        who: str,
        seconds: int | None,
        reason: str = "",
        *,
        addresses: bool = False,
    ) -> dict[str, Any]:
        """Let an account not speak for some seconds, or (None) ever again.

        With `addresses` nobody speaks from where it spoke, either, for 30 days at most.
        """
        body = {"seconds": seconds, "reason": reason, "addresses": addresses}
        return await self._ask("PUT", f"{_chat(stream)}/mutes/{_quoted(who)}", body)

    async def unmute(self, stream: int, who: str, reason: str = "") -> dict[str, Any]:
        """Let an account speak again."""
        path = f"{_chat(stream)}/mutes/{_quoted(who)}"
        return await self._ask("DELETE", path, {"reason": reason})

    async def mutes(self, stream: int) -> list[dict[str, Any]]:
        """Who may not speak."""
        return list((await self._ask("GET", f"{_chat(stream)}/mutes"))["mutes"])

    async def name_moderator(
        self, stream: int, who: str, *, moderates: bool = True
    ) -> dict[str, Any]:
        """Name a moderator, or dismiss one."""
        method = "PUT" if moderates else "DELETE"
        return await self._ask(method, f"{_chat(stream)}/moderators/{_quoted(who)}")

    async def moderators(self, stream: int) -> list[dict[str, Any]]:
        """Who moderates beside the owner. Nobody has to sign in for that."""
        return list((await self._ask("GET", f"{_chat(stream)}/moderators"))["moderators"])

    # --- messages --------------------------------------------------------------------------

    async def delete(self, stream: int, number: int, reason: str = "") -> None:
        """Delete a message."""
        await self._ask("DELETE", f"{_chat(stream)}/messages/{number}", {"reason": reason})

    async def settings(self, stream: int) -> dict[str, Any]:
        """How a chat is. Nobody has to sign in for that."""
        return await self._ask("GET", f"{_chat(stream)}/settings")

    async def set_settings(self, stream: int, **settings: Any) -> dict[str, Any]:
        """Set how a chat is; what is left out stays."""
        return await self._ask("PUT", f"{_chat(stream)}/settings", settings)

    # --- reports -----------------------------------------------------------------------------

    async def queue(self, stream: int | None) -> dict[str, Any]:
        """What waits in a chat, or (None) in all: `reports` and `held`."""
        path = f"{PREFIX}/queue" if stream is None else f"{_chat(stream)}/queue"
        return await self._ask("GET", path)

    async def answer(
        self,
        stream: int,
        answer: str,
        *,
        message: int | None = None,
        who: str = "",
        seconds: int | None = None,
        reason: str = "",
    ) -> dict[str, Any]:
        """Close all reports of a message or an account: dismiss, delete, time-out or ban."""
        target = {"account": who} if message is None else {"message": message}
        body = {**target, "answer": answer, "seconds": seconds, "reason": reason}
        return await self._ask("POST", f"{_chat(stream)}/reports/answer", body)

    # --- filters and what waits ----------------------------------------------------------------

    async def filters(self, stream: int | None) -> list[dict[str, Any]]:
        """The words that are looked for in a chat, or (None) in all."""
        return list((await self._ask("GET", _filters(stream)))["filters"])

    async def add_filter(
        self, stream: int | None, pattern: str, action: str, *, within_words: bool = False
    ) -> int:
        """Let what has some words be refused or held (`action`); gives the filter's number."""
        body = {"pattern": pattern, "action": action, "within_words": within_words}
        return int((await self._ask("POST", _filters(stream), body))["number"])

    async def remove_filter(self, stream: int | None, number: int) -> None:
        """Look for some words no more."""
        await self._ask("DELETE", f"{_filters(stream)}/{number}")

    async def held(self, stream: int) -> list[dict[str, Any]]:
        """Messages that wait for a moderator, the oldest first."""
        return list((await self._ask("GET", f"{_chat(stream)}/held"))["held"])

    async def release(self, stream: int, number: int) -> dict[str, Any]:
        """Let a message that waits be said now."""
        return await self._ask("POST", f"{_chat(stream)}/held/{number}")

    async def reject(self, stream: int, number: int, reason: str = "") -> None:
        """Let a message that waits never be said."""
        await self._ask("DELETE", f"{_chat(stream)}/held/{number}", {"reason": reason})

    # --- the log ---------------------------------------------------------------------------

    async def acts(
        self, stream: int | None, *, before: int | None = None, limit: int = 50
    ) -> list[dict[str, Any]]:
        """What moderators did in a chat, or (None) everywhere, the latest first."""
        path = f"{PREFIX}/acts" if stream is None else f"{_chat(stream)}/acts"
        more = "" if before is None else f"&before={before}"
        return list((await self._ask("GET", f"{path}?limit={limit}{more}"))["acts"])

    async def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        return await self._community.ask(method, path, body)


def _quoted(who: str) -> str:
    return quote(who, safe="")


def _filters(stream: int | None) -> str:
    return f"{PREFIX}/filters" if stream is None else f"{_chat(stream)}/filters"


def _chat(stream: int) -> str:
    return f"/api/v1/streams/{stream}/chat"
