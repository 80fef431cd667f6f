"""Whatever a page can do the command can do: each method of the JavaScript SDK has its command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from offchain.cli import app

SDK = Path(__file__).parents[2] / "streaming/pages/static/sdk"
CLASSES = {"Client": "client.js", "Community": "community.js", "Publisher": "whip.js",
           "Playback": "whep.js"}  # fmt: skip
COMMANDS = {
    "Client.info": "status",
    "Client.streams": "stream list",
    "Client.stream": "stream show",
    "Client.streamPage": "stream list",
    "Client.terms": "watch",
    "Client.challenge": "watch",
    "Client.token": "watch",
    "Client.signIn": "watch",
    "Client.renewToken": "watch",
    "Client.prepare": "grant give",
    "Client.submit": "grant give",
    "Client.submission": "grant give",
    "Client.sessions": "session list",
    "Client.session": "session show",
    "Client.closeSession": "session close",
    "Community.signIn": "profile sessions",
    "Community.signOut": "profile sessions",
    "Community.sessions": "profile sessions",
    "Community.endSession": "profile sessions",
    "Community.exportAccount": "profile export",
    "Community.deleteAccount": "profile delete",
    "Community.profile": "profile show",
    "Community.keepProfile": "profile set",
    "Community.follows": "profile following",
    "Community.follow": "profile follow",
    "Community.unfollow": "profile unfollow",
    "Community.card": "stream about",
    "Community.cards": "stream find",
    "Community.keepCard": "stream describe",
    "Community.removeCard": "stream undescribe",
    "Community.messages": "chat read",
    "Community.say": "chat say",
    "Community.live": "chat listen",
    "Community.openLive": "chat listen",
    "Community.report": "community report",
    "Community.reports": "community reports",
    "Community.setSettings": "community settings",
    "Community.settings": "community settings",
    "Community.queue": "community queue",
    "Community.answerReports": "community answer",
    "Community.held": "community held",
    "Community.release": "community release",
    "Community.reject": "community release",
    "Community.filters": "community filter list",
    "Community.addFilter": "community filter add",
    "Community.removeFilter": "community filter remove",
    "Community.acts": "community audit list",
    "Community.deleteMessage": "community delete",
    "Community.mutes": "community mutes",
    "Community.mute": "community time-out",
    "Community.unmute": "community let-speak",
    "Community.nameModerator": "community moderator",
    "Community.dismissModerator": "community moderator",
    "Community.moderators": "community moderators",
    "Publisher.start": "publish",
    "Publisher.stop": "publish",
    "Playback.open": "watch",
    "Playback.status": "watch",
    "Playback.freezesMs": "watch",
    "Playback.leave": "watch",
}
"""By which command one does the same; `grant give` stands for each call of a wallet."""
WITHOUT = {
    "Client.call": "what the others are made of",
    "Community.call": "what the others are made of",
    "Community.callStream": "what the others are made of",
    "Client.signForDevelopment": "a key of one's own signs: `--key //Alice`",
    "Publisher.hold": "a file does not stop to think: `publish --stall` is for tests",
    "Publisher.replaceMedia": "a file has one camera",
    "Publisher.reconnect": "`publish` does by itself",
    "Publisher.bytesSent": "what a page draws",
    "Playback.flush": "of pages that go away",
    "Playback.close": "part of leaving",
    "Playback.forget": "part of leaving",
}


def methods() -> set[str]:
    return {
        f"{kind}.{name}"
        for kind, module in CLASSES.items()
        for name in re.findall(
            r"^  (?:static )?(?:async )?(?!constructor)([a-z]\w*)\(.*\) \{$",
            (SDK / module).read_text(),
            re.MULTILINE,
        )
        if name not in {"if", "for", "while", "switch", "catch"}
    }


def test_each_method_has_its_command_or_its_reason() -> None:
    assert not set(COMMANDS) & set(WITHOUT)
    assert methods() == set(COMMANDS) | set(WITHOUT)


@pytest.mark.parametrize("line", sorted(set(COMMANDS.values())))
def test_each_command_is_there_and_speaks_json(line: str) -> None:
    at = get_command(app)
    for word in line.split():
        at = at.commands[word]  # type: ignore[attr-defined]
    assert any("--json" in parameter.opts for parameter in at.params)
