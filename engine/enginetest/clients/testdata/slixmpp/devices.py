"""A user with two devices, and a friend, on slixmpp.

Arguments: address, port, CA file, domain, password. Every step is printed; the
first one that does not go as it should ends the program with a traceback.
"""
import asyncio
import base64
import hashlib
import sys
from xml.etree import ElementTree as ET

import slixmpp
from slixmpp.exceptions import IqError
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

HOST, PORT, CA, DOMAIN, PASSWORD = sys.argv[1], int(sys.argv[2]), *sys.argv[3:6]
PATIENCE = 20
ROMEO, JULIET = "romeo@" + DOMAIN, "juliet@" + DOMAIN
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")
HASH = hashlib.sha1(PICTURE).hexdigest()
OTHER = PICTURE + b"more"


class Device(slixmpp.ClientXMPP):
    def __init__(self, jid, mechanism=None):
        super().__init__(jid, PASSWORD, sasl_mech=mechanism)
        self.ca_certs = CA
        self.use_ipv6 = False
        for n in (30, 45, 48, 49, 54, 59, 60, 84, 107, 115, 118, 163, 191, 198, 199, 223, 280, 297, 313):
            self.register_plugin(f"xep_{n:04}")
        self["xep_0048"].auto_join = False
        self.events = []
        self.came = asyncio.Event()
        for kind in ("message", "presence"):
            self.register_handler(Callback("any " + kind, MatchXPath("{jabber:client}" + kind), lambda s: self.note("stanza", s)))
        for name in ("session_start", "session_resumed", "failed_auth", "sm_enabled", "carbon_received", "carbon_sent",
                     "user_tune_publish", "avatar_metadata_publish", "blocked", "unblocked"):
            self.add_event_handler(name, lambda s, name=name: self.note(name, s))

    def note(self, name, stanza):
        self.events.append((name, stanza))
        self.came.set()

    async def login(self):
        self.connect((HOST, PORT), force_starttls=True)
        await self.wait("session_start")
        await self.wait("sm_enabled")
        await self.get_roster()
        self.send_presence()
        await self.wait("stanza", lambda s: s.name == "presence" and s["from"] == self.boundjid)
        return self

    async def wait(self, name, fits=lambda s: True):
        """Takes the first event that fits; what came before stays."""
        async def look():
            while True:
                for e in self.events:
                    if e[0] == name and fits(e[1]):
                        self.events.remove(e)
                        return e[1]
                self.came.clear()
                await self.came.wait()
        try:
            return await asyncio.wait_for(look(), PATIENCE)
        except asyncio.TimeoutError:
            raise AssertionError(f"{self.boundjid} waits for {name} and has got {[(n, str(s)) for n, s in self.events][-10:]}") from None

    async def said(self, body):
        return await self.wait("stanza", lambda s: s.name == "message" and s["body"] == body)

    def say(self, to, body):
        self.send_message(mto=to, mbody=body, mtype="chat")


def photo(presence):
    return presence.xml.findtext("{vcard-temp:x:update}x/{vcard-temp:x:update}photo")


def step(text):
    print(text, flush=True)


async def mechanisms():
    step("logins")
    for m in ("SCRAM-SHA-512-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "PLAIN"):
        d = await Device(JULIET + "/" + m, m).login()
        assert d["feature_mechanisms"].mech.name == m, d["feature_mechanisms"].mech.name
        await d.disconnect()


async def friends(a, b):
    step("friends")
    for x, y in ((a, b), (b, a)):
        x.send_presence_subscription(y.boundjid.bare)
    for x, y in ((a, b), (b, a)):
        await x.wait("stanza", lambda s: s.name == "presence" and s["type"] == "subscribed" and s["from"] == y.boundjid.bare)


async def carbons(phone, desk, juliet):
    step("carbons")
    for d in (phone, desk):
        await d["xep_0280"].enable(timeout=PATIENCE)
    phone.say(juliet.boundjid.full, "copy of what is sent")
    await juliet.said("copy of what is sent")
    got = await desk.wait("carbon_sent")
    assert got["carbon_sent"]["body"] == "copy of what is sent", got
    juliet.say(phone.boundjid.full, "copy of what comes")
    await phone.said("copy of what comes")
    got = await desk.wait("carbon_received")
    assert got["carbon_received"]["body"] == "copy of what comes", got


async def resume(phone, juliet):
    step("resume")
    before, sm = phone.boundjid.full, phone["xep_0198"].sm_id
    phone.transport.abort()
    juliet.say(before, "while you were gone")
    phone.connect((HOST, PORT), force_starttls=True)
    await phone.wait("session_resumed")
    await phone.said("while you were gone")
    assert phone.boundjid.full == before and phone["xep_0198"].sm_id == sm, phone.boundjid
    phone.say(juliet.boundjid.full, "back again")
    await juliet.said("back again")
    assert not any(n == "session_start" for n, _ in phone.events), "another session"


async def archive(phone, juliet):
    step("archive")
    for i in range(35):
        phone.say(JULIET, f"line {i}")
    await juliet.said("line 34")
    got = [m["mam_result"]["forwarded"]["stanza"]["body"]
           async for m in juliet["xep_0313"].iterate(with_jid=slixmpp.JID(ROMEO), rsm={"max": 10})]
    assert got[-35:] == [f"line {i}" for i in range(35)], got
    assert len(got) == len(set(got)) and got[:1] == ["copy of what is sent"], got
    got = [m["mam_result"]["forwarded"]["stanza"]["body"]
           async for m in juliet["xep_0313"].iterate(with_jid=slixmpp.JID(ROMEO), rsm={"max": 10}, reverse=True, total=15)]
    assert sorted(got) == sorted(f"line {i}" for i in range(20, 35)), got


async def avatar(phone, desk, juliet):
    step("avatar")
    await phone["xep_0084"].publish_avatar(PICTURE)
    await phone["xep_0084"].publish_avatar_metadata({"id": HASH, "type": "image/png", "bytes": len(PICTURE)})
    event = await juliet.wait("avatar_metadata_publish", lambda s: s["from"] == ROMEO)
    info = event["pubsub_event"]["items"]["item"]["avatar_metadata"]["items"]
    assert [i["id"] for i in info] == [HASH], info
    item = await juliet["xep_0084"].retrieve_avatar(ROMEO, HASH, timeout=PATIENCE)
    assert item["pubsub"]["items"]["item"]["avatar_data"]["value"] == PICTURE
    await juliet.wait("stanza", lambda s: s.name == "presence" and s["from"] == desk.boundjid and photo(s) == HASH)
    card = await juliet["xep_0054"].get_vcard(ROMEO, cached=False, timeout=PATIENCE)
    assert card["vcard_temp"]["PHOTO"]["BINVAL"] == PICTURE and card["vcard_temp"]["PHOTO"]["TYPE"] == "image/png", card
    # and the other way
    card = desk["xep_0054"].make_vcard()
    card["PHOTO"]["TYPE"], card["PHOTO"]["BINVAL"] = "image/png", OTHER
    await desk["xep_0054"].publish_vcard(card, timeout=PATIENCE)
    other = hashlib.sha1(OTHER).hexdigest()
    await juliet.wait("avatar_metadata_publish", lambda s: s["pubsub_event"]["items"]["item"]["id"] == other)
    item = await juliet["xep_0084"].retrieve_avatar(ROMEO, other, timeout=PATIENCE)
    assert item["pubsub"]["items"]["item"]["avatar_data"]["value"] == OTHER
    await phone["xep_0084"].stop()
    await juliet.wait("avatar_metadata_publish", lambda s: not s["pubsub_event"]["items"]["item"]["avatar_metadata"]["items"])


async def bookmarks(phone, desk):
    step("bookmarks")
    marks = slixmpp.plugins.xep_0048.stanza.Bookmarks()
    marks.add_conference(f"play@conference.{DOMAIN}", "R", autojoin=True, name="The Play")
    await phone["xep_0048"].set_bookmarks(marks, method="xep_0049")
    items = (await desk["xep_0060"].get_items(ROMEO, "urn:xmpp:bookmarks:1", timeout=PATIENCE))["pubsub"]["items"]["substanzas"]
    room = items[0].xml[0]
    assert [i["id"] for i in items] == [f"play@conference.{DOMAIN}"] and room.get("name") == "The Play" and room.get("autojoin") == "true", items
    room = ET.Element("{urn:xmpp:bookmarks:1}conference", {"name": "Orchard"})
    await publish(desk, room, f"orchard@conference.{DOMAIN}")
    for method, find in (("xep_0049", lambda r: r["private"]), ("xep_0223", lambda r: r["pubsub"]["items"]["item"])):
        got = find(await phone["xep_0048"].get_bookmarks(method=method, timeout=PATIENCE))["bookmarks"]["conferences"]
        names = sorted((str(c["jid"]), c["name"]) for c in got)
        assert names == [(f"orchard@conference.{DOMAIN}", "Orchard"), (f"play@conference.{DOMAIN}", "The Play")], (method, names)


async def publish(device, payload, item):
    """As XEP-0402 §3.3 wants it."""
    form = device["xep_0004"].make_form(ftype="submit")
    form.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#publish-options")
    for name, value in {"persist_items": "true", "max_items": "max", "send_last_published_item": "never", "access_model": "whitelist"}.items():
        form.add_field(var="pubsub#" + name, value=value)
    await device["xep_0060"].publish(None, "urn:xmpp:bookmarks:1", id=item, payload=payload, options=form, timeout=PATIENCE)


async def blocking(phone, desk, juliet):
    step("blocking")
    for d in (phone, desk):
        await d["xep_0191"].get_blocked(timeout=PATIENCE)
    await phone["xep_0191"].block(JULIET, timeout=PATIENCE)
    await desk.wait("blocked")
    await juliet.wait("stanza", lambda s: s.name == "presence" and s["type"] == "unavailable" and s["from"] == phone.boundjid)
    juliet.say(ROMEO, "do you hear me?")
    await juliet.wait("stanza", lambda s: s.name == "message" and s["type"] == "error" and s["error"]["condition"] == "service-unavailable")
    got = (await desk["xep_0191"].get_blocked(timeout=PATIENCE))["blocklist"]["items"]
    assert got == {slixmpp.JID(JULIET)}, got
    await desk["xep_0191"].unblock(JULIET, timeout=PATIENCE)
    await phone.wait("unblocked")
    await juliet.wait("stanza", lambda s: s.name == "presence" and s["type"] == "available" and s["from"] == phone.boundjid)
    juliet.say(ROMEO, "and now?")
    await phone.said("and now?")


async def events(phone, desk, juliet):
    step("events")
    await phone["xep_0118"].publish_tune(artist="Prokofiev", title="Dance of the Knights")
    for d in (desk, juliet):
        got = await d.wait("user_tune_publish", lambda s: s["from"] == ROMEO)
        assert got["pubsub_event"]["items"]["item"]["tune"]["title"] == "Dance of the Knights", got
    late = await Device(JULIET + "/late").login()
    await late.wait("user_tune_publish", lambda s: s["from"] == ROMEO)
    await late.disconnect()


async def main():
    await mechanisms()
    phone, desk, juliet = [await Device(j).login() for j in (ROMEO + "/phone", ROMEO + "/desk", JULIET + "/balcony")]
    await friends(phone, juliet)
    await carbons(phone, desk, juliet)
    await resume(phone, juliet)
    await archive(phone, juliet)
    await avatar(phone, desk, juliet)
    await bookmarks(phone, desk)
    await blocking(phone, desk, juliet)
    await events(phone, desk, juliet)
    for d in (phone, desk, juliet):
        await d.disconnect()
    step("all is well")


asyncio.run(main())
