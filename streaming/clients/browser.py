"""Driving the pages in a real Chromium, as a creator and as a viewer would.

Tests and the demo use it. It clicks through the pages, and reads what the viewer's page has
measured with `requestVideoFrameCallback`; it holds no keys: a `Wallet` is given by the caller,
and appears in the page as `window.injectedWeb3`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, BrowserContext, Locator, Page, async_playwright
from playwright.async_api import Error as PlaywrightError

READY_MS: Final = 20_000
"""How long any one step of a page may take; a wallet's transaction takes several blocks."""
FINAL_MS: Final = 90_000
CLOSED_MS: Final = 40_000
_POLL_S: Final = 0.25
_HASHED_ABOVE_BYTES: Final = 256
_CHROMIUM_NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
_ARGUMENTS: Final = (
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_WALLET_SCRIPT: Final = Path(__file__).with_name("browser_wallet.js")


class BrowserFailed(Exception):
    """A page did not come where it should; the message is what the page says, and the remedy."""


@dataclass(frozen=True)
class Wallet:
    """One account, as a wallet in the browser shows it.

    `sign` is the plain signature of the account's key over the bytes that it is given; it is
    called in this process, on the event loop.
    """

    address: str
    name: str
    sign: Callable[[bytes], bytes]
    type: str = "sr25519"


# --- what a wallet signs ------------------------------------------------------------------


def _compact(number: int) -> bytes:
    if number < 1 << 6:
        return (number << 2).to_bytes(1, "little")
    if number < 1 << 14:
        return (number << 2 | 1).to_bytes(2, "little")
    if number < 1 << 30:
        return (number << 2 | 2).to_bytes(4, "little")
    body = number.to_bytes((number.bit_length() + 7) // 8, "little")
    return bytes([(len(body) - 4) << 2 | 3]) + body


def _hex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _number(text: str | int) -> int:
    return text if isinstance(text, int) else int(text, 16)


def payload_bytes(payload: Mapping[str, Any]) -> bytes:
    """The bytes that a wallet signs for polkadot.js's `SignerPayloadJSON`.

    The call, then what each extension adds to the extrinsic, then what it only adds to the
    signature; hashed with blake2b-256 if they are more than 256 bytes (polkadot.js,
    `ExtrinsicPayloadV4`). Extensions that it does not know are taken for empty, as there.
    """
    explicit = {
        "CheckMortality": lambda: _hex(payload["era"]),
        "CheckNonce": lambda: _compact(_number(payload["nonce"])),
        "ChargeTransactionPayment": lambda: _compact(_number(payload["tip"])),
        "CheckMetadataHash": lambda: bytes([int(payload.get("mode") or 0)]),
    }
    metadata_hash = payload.get("metadataHash")
    implicit = {
        "CheckSpecVersion": lambda: _number(payload["specVersion"]).to_bytes(4, "little"),
        "CheckTxVersion": lambda: _number(payload["transactionVersion"]).to_bytes(4, "little"),
        "CheckGenesis": lambda: _hex(payload["genesisHash"]),
        "CheckMortality": lambda: _hex(payload["blockHash"]),
        "CheckMetadataHash": lambda: b"\x01" + _hex(metadata_hash) if metadata_hash else b"\x00",
    }
    extensions = payload["signedExtensions"]
    parts = [_hex(payload["method"])]
    parts += [explicit[name]() for name in extensions if name in explicit]
    parts += [implicit[name]() for name in extensions if name in implicit]
    message = b"".join(parts)
    if len(message) > _HASHED_ABOVE_BYTES:
        return blake2b(message, digest_size=32).digest()
    return message


def raw_bytes(data: str) -> bytes:
    """The bytes that a wallet signs for `signRaw`: hex or text, wrapped unless it already is."""
    try:
        message = _hex(data) if data.startswith("0x") else data.encode()
    except ValueError:
        message = data.encode()
    if message.startswith(b"<Bytes>") and message.endswith(b"</Bytes>"):
        return message
    return b"<Bytes>" + message + b"</Bytes>"


def answer(wallet: Wallet, kind: str, request: Mapping[str, Any]) -> str:
    """A wallet's signature as hex; a transaction's has the kind of key in front, as wallets do."""
    if kind == "raw":
        return "0x" + wallet.sign(raw_bytes(request["data"])).hex()
    scheme = {"ed25519": b"\x00", "sr25519": b"\x01"}[wallet.type]
    return "0x" + (scheme + wallet.sign(payload_bytes(request))).hex()


# --- the browser --------------------------------------------------------------------------


def chromium_path() -> str:
    """Where Chromium is. Raises `BrowserFailed` with the remedy."""
    for name in _CHROMIUM_NAMES:
        found = shutil.which(name)
        if found:
            return found
    message = "Chromium is not on the PATH. On Debian: apt-get install chromium"
    raise BrowserFailed(message)


@contextlib.asynccontextmanager
async def chromium(*, video: Path | None = None, headless: bool = True) -> AsyncIterator[Browser]:
    """A Chromium whose camera shows `video` (any file that ffmpeg reads), or its own test picture.

    Raises `BrowserFailed` if there is no Chromium, or ffmpeg cannot read the file.
    """
    with tempfile.TemporaryDirectory(prefix="paystream-browser-") as directory:
        arguments = list(_ARGUMENTS)
        if video is not None:
            picture, sound = await _for_camera(video, Path(directory))
            arguments.append(f"--use-file-for-fake-video-capture={picture}")
            if sound is not None:
                arguments.append(f"--use-file-for-fake-audio-capture={sound}")
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=chromium_path(), headless=headless, args=arguments
            )
            try:
                yield browser
            finally:
                await browser.close()


async def _for_camera(video: Path, directory: Path) -> tuple[Path, Path | None]:
    picture, sound = directory / "camera.mjpeg", directory / "microphone.wav"
    scaled = "scale='min(1280,iw)':-2,fps=25"
    await _ffmpeg(video, "-an", "-vf", scaled, "-q:v", "4", "-f", "mjpeg", str(picture))
    try:
        await _ffmpeg(video, "-vn", "-ac", "1", "-ar", "48000", str(sound))
    except BrowserFailed:
        return picture, None
    return picture, sound


async def _ffmpeg(video: Path, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *("ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(video), *arguments),
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    if process.returncode != 0:
        said = errors.decode(errors="replace").strip().splitlines()
        message = f"{video}: ffmpeg cannot read it: {said[-1] if said else 'no reason given'}"
        raise BrowserFailed(message)


@contextlib.asynccontextmanager
async def page_with_wallet(
    browser: Browser, wallet: Wallet | None, **options: Any
) -> AsyncIterator[Page]:
    """A page in a profile of its own, in which the wallet is injected; none with `None`.

    `options` are those of playwright's `Browser.new_context`.
    """
    context = await browser.new_context(permissions=["camera", "microphone"], **options)
    try:
        if wallet is not None:
            await inject(context, wallet)
        yield await context.new_page()
    finally:
        await context.close()


async def inject(
    context: BrowserContext,
    wallet: Wallet,
    signs: Callable[[str, Mapping[str, Any]], Awaitable[str | None]] | None = None,
) -> None:
    """Puts the wallet into every page of a context.

    `signs` may replace its answers; `None` from it is a user who declines.
    """

    async def sign(_source: object, kind: str, request: str) -> str | None:
        asked = json.loads(request)
        return await signs(kind, asked) if signs else answer(wallet, kind, asked)

    account = {"address": wallet.address, "name": wallet.name, "type": wallet.type}
    accounts = json.dumps(json.dumps([account]))
    await context.expose_binding("paystreamSign", sign)
    script = f"window.paystreamAccounts = {accounts};\n{_WALLET_SCRIPT.read_text()}"
    await context.add_init_script(script)


async def _said(page: Page) -> str:
    alerts = page.locator("[role=alert]")
    if await alerts.count():
        return " ".join((await alerts.first.inner_text()).split())
    return ""


async def _wait(page: Page, target: Locator, step: str, within_ms: int) -> None:
    """Waits until `target` is visible, or the page shows an error."""
    alert = page.locator("[role=alert]")
    try:
        await target.or_(alert).first.wait_for(state="visible", timeout=within_ms)
    except PlaywrightError as error:
        message = f"{step}: the page did not get there within {within_ms / 1000:.0f} s"
        raise BrowserFailed(message) from error
    if not await target.first.is_visible():
        raise BrowserFailed(f"{step}: the page says: {await _said(page)}")


async def _state(page: Page) -> str:
    return str(await page.evaluate("window.paystream?.state() ?? 'loading'"))


async def connect_wallet(page: Page) -> None:
    """Connects the injected wallet. Raises `BrowserFailed`."""
    connect = page.get_by_role("button", name="Connect test")
    await _wait(page, connect.or_(page.locator("#account")), "wallet", READY_MS)
    if await connect.count():
        await connect.click()
    await _wait(page, page.locator("#account"), "wallet", READY_MS)


# --- the creator --------------------------------------------------------------------------


async def create_stream_in_browser(
    browser: Browser, server_url: str, wallet: Wallet, price_per_minute: str
) -> int:
    """Makes a stream on the broadcast page; the price is as one types it, such as `0.06`.

    Returns its id once it is final. Raises `BrowserFailed`.
    """
    async with page_with_wallet(browser, wallet) as page:
        await page.goto(f"{server_url}/broadcast")
        await connect_wallet(page)
        form = page.locator("#create")
        more = page.get_by_text("Make another stream")
        await _wait(page, form.or_(more), "new stream", READY_MS)
        before = set(await _own_streams(page))
        if await more.count():
            await more.click()
        await page.locator("#price").fill(price_per_minute)
        await form.click()
        async with asyncio.timeout(FINAL_MS / 1000):
            while not (new := set(await _own_streams(page)) - before):
                if said := await _said(page):
                    raise BrowserFailed(f"new stream: the page says: {said}")
                await asyncio.sleep(_POLL_S)
        return new.pop()


async def _own_streams(page: Page) -> list[int]:
    values = await page.locator("#own-stream option").evaluate_all("all => all.map(o => o.value)")
    return [int(value) for value in values]


async def publish_in_browser(
    browser: Browser,
    server_url: str,
    stream: int,
    wallet: Wallet,
    *,
    until: asyncio.Event,
    on_live: Callable[[], None] | None = None,
    hold: asyncio.Event | None = None,
) -> dict[str, Any]:
    """Publishes from the broadcast page until `until` is set.

    While `hold` is set the page is paused: it sends nothing. Returns `stream` and `reconnects`.
    Raises `BrowserFailed`.
    """
    async with page_with_wallet(browser, wallet) as page:
        await page.goto(f"{server_url}/broadcast")
        await connect_wallet(page)
        await _wait(page, page.locator("#own-stream"), "stream", READY_MS)
        await page.locator("#own-stream").select_option(str(stream))
        await page.locator("#devices").click()
        await _wait(page, page.locator("#start:enabled"), "camera", READY_MS)
        await page.locator("#start").click()
        await _wait(page, page.locator("#badge.live"), "publishing", READY_MS)
        if on_live is not None:
            on_live()
        while not until.is_set():
            wanted = "held" if hold is not None and hold.is_set() else "live"
            state = await _state(page)
            if state == "idle":
                raise BrowserFailed(f"publishing: the page says: {await _said(page)}")
            if state in {"live", "held"} and state != wanted:
                await page.locator("#hold").click()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(until.wait(), _POLL_S)
        result: dict[str, Any] = await page.evaluate("window.paystream.publishing()")
        await page.locator("#stop").click()
        await page.locator("#start").wait_for(timeout=READY_MS)
        return result


# --- the viewer ---------------------------------------------------------------------------


async def watch_in_browser(
    browser: Browser,
    server_url: str,
    stream: int,
    wallet: Wallet,
    *,
    seconds: float | None = None,
    until: asyncio.Event | None = None,
    watch_minutes: int = 10,
    on_playing: Callable[[], None] | None = None,
    on_progress: Callable[[Mapping[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Signs in, deposits and grants for `watch_minutes` if that is needed, watches, and stops.

    Watches for `seconds` from the first picture, or until `until` is set, or until the page
    stops by itself. `watched_ms`, `frames_decoded` and `freezes_ms` are the page's own measure (see
    `picture-meter.js`). Returns `account`, `delegate`, `session` (`grant-index`), `watched_ms`,
    `frames_decoded`, `freezes_ms`, `first_frame_ms`, `reconnects`, `end_reason`. Raises
    `BrowserFailed`.
    """
    async with page_with_wallet(browser, wallet) as page:
        await page.goto(f"{server_url}/watch?stream={stream}")
        await pay_and_watch(page, watch_minutes)
        await first_picture(page)
        if on_playing is not None:
            on_playing()
        await _while_watching(page, seconds, until, on_progress)
        return await stop_watching(page, wallet)


async def pay_and_watch(page: Page, watch_minutes: int) -> None:
    """From a watch page that has just loaded to the connection. Raises `BrowserFailed`."""
    await connect_wallet(page)
    sign_in, allow, watch = (page.locator(f"#{name}") for name in ("sign-in", "allow", "watch"))
    await _wait(page, sign_in.or_(allow).or_(watch), "sign-in", READY_MS)
    if await sign_in.count():
        await sign_in.click()
    await _wait(page, allow.or_(watch), "terms", READY_MS)
    if await watch.count():
        await watch.click()
    else:
        await page.locator("input.minutes").fill(str(watch_minutes))
        await page.locator("#allow:enabled").click(timeout=READY_MS)
    await _wait(page, page.locator("#stop"), "deposit and grant", FINAL_MS)


async def first_picture(page: Page, within_s: float = READY_MS / 1000) -> None:
    """Waits for the first frame. Raises `BrowserFailed`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while True:
                measure = await page.evaluate("window.paystream?.measure() ?? {}")
                if measure.get("frames_decoded", 0) > 0 and not measure["end_reason"]:
                    return
                if measure.get("end_reason"):
                    break
                await asyncio.sleep(_POLL_S)
    said = " ".join((await page.locator(".player-message").inner_text()).split())
    raise BrowserFailed(f"no picture within {within_s:.0f} s; the page says: {said}")


async def _while_watching(
    page: Page,
    seconds: float | None,
    until: asyncio.Event | None,
    on_progress: Callable[[Mapping[str, Any]], None] | None,
) -> None:
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds if seconds is not None else None
    while (ends is None or loop.time() < ends) and not (until is not None and until.is_set()):
        if await _state(page) == "idle":
            return
        if on_progress is not None:
            on_progress(await page.evaluate("window.paystream.measure()"))
        await asyncio.sleep(_POLL_S)


async def stop_watching(page: Page, wallet: Wallet) -> dict[str, Any]:
    """Presses stop, if it still plays, and waits until the session has been closed."""
    if await _state(page) != "idle":
        with contextlib.suppress(PlaywrightError):
            await page.locator("#stop").click(timeout=5_000)
    with contextlib.suppress(PlaywrightError):
        idle = "() => window.paystream.state() === 'idle'"
        await page.wait_for_function(idle, timeout=CLOSED_MS, polling=_POLL_S * 1000)
    result: dict[str, Any] = await page.evaluate("window.paystream.measure()")
    result["account"] = wallet.address
    result["delegate"] = await page.evaluate("window.paystream.delegate()")
    return result
