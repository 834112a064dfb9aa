"""A user with two devices, and a friend, on aioxmpp, which knows no archives.

Arguments: address, port, CA file, domain, password. Every step is printed; the
first one that does not go as it should ends the program with a traceback.
"""
import asyncio
import base64
import hashlib
import sys

import aioxmpp
import aioxmpp.bookmarks
import aioxmpp.bookmarks.xso
import aioxmpp.carbons
import aioxmpp.pep
import aioxmpp.pubsub.xso
import aioxmpp.vcard
import aioxmpp.xso as xso
from aioxmpp.avatar import AvatarService, AvatarSet

HOST, PORT, _, DOMAIN, PASSWORD = sys.argv[1], int(sys.argv[2]), *sys.argv[3:6]
PATIENCE = 20
ROMEO, JULIET = (aioxmpp.JID(name, DOMAIN, None) for name in ("romeo", "juliet"))
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC")
HASH = hashlib.sha1(PICTURE).hexdigest()
OTHER = PICTURE + b"more"
TUNE = "http://jabber.org/protocol/tune"


@aioxmpp.pubsub.xso.as_payload_class
class Tune(xso.XSO):
    TAG = (TUNE, "tune")
    title = xso.ChildText((TUNE, "title"))


class Device:
    def __init__(self, jid):
        self.client = aioxmpp.PresenceManagedClient(
            jid, aioxmpp.make_security_layer(PASSWORD, no_verify=True),
            override_peer=[(HOST, PORT, aioxmpp.connector.STARTTLSConnector())])
        self.events = []
        self.came = asyncio.Event()
        service = self.client.summon
        service(aioxmpp.EntityCapsService)
        self.roster, self.carbons = service(aioxmpp.RosterClient), service(aioxmpp.CarbonsClient)
        self.blocking, self.marks = service(aioxmpp.BlockingClient), service(aioxmpp.BookmarkClient)
        self.pep, self.pubsub = service(aioxmpp.PEPClient), service(aioxmpp.PubSubClient)
        self.vcard, self.avatar = service(aioxmpp.vcard.VCardService), service(AvatarService)
        self.avatar.advertise_vcard = False  # the server does
        dispatcher = service(aioxmpp.dispatcher.SimpleMessageDispatcher)
        dispatcher.register_callback(aioxmpp.MessageType.CHAT, None, lambda m: self.note("message", m))
        dispatcher.register_callback(aioxmpp.MessageType.ERROR, None, lambda m: self.note("error", m))
        presence = service(aioxmpp.PresenceClient)
        presence.on_available.connect(lambda jid, p: self.note("available", jid))
        presence.on_unavailable.connect(lambda jid, p: self.note("unavailable", jid))
        service(aioxmpp.dispatcher.SimplePresenceDispatcher)
        self.client.on_stream_suspended.connect(lambda *_: self.note("suspended"))
        self.client.on_stream_resumed.connect(lambda *_: self.note("resumed"))
        self.client.on_stream_established.connect(lambda *_: self.note("established"))
        self.blocking.on_jids_blocked.connect(lambda jids: self.note("blocked", *jids))
        self.blocking.on_jids_unblocked.connect(lambda jids: self.note("unblocked", *jids))
        self.avatar.on_metadata_changed.connect(lambda jid, metadata: self.note("avatar", jid, [m.id_ for m in metadata]))
        self.tune = self.pep.claim_pep_node(TUNE, notify=True)
        self.tune.on_item_publish.connect(
            lambda jid, node, item, message=None: self.note("tune", jid, item.registered_payload.title))

    @property
    def jid(self):
        return self.client.local_jid

    def note(self, *event):
        self.events.append(event)
        self.came.set()

    async def wait(self, *event, fits=lambda *_: True):
        """Takes the first event that begins so and fits; what came before stays."""
        async def look():
            while True:
                for e in self.events:
                    if e[:len(event)] == event and fits(*e):
                        self.events.remove(e)
                        return e
                self.came.clear()
                await self.came.wait()
        try:
            return await asyncio.wait_for(look(), PATIENCE)
        except asyncio.TimeoutError:
            raise AssertionError(f"{self.jid} waits for {event} and has got {self.events[-10:]}") from None

    async def said(self, body):
        return await self.wait("message", fits=lambda _, m: m.body.any() == body if m.body else False)

    async def say(self, to, body):
        m = aioxmpp.Message(type_=aioxmpp.MessageType.CHAT, to=to)
        m.body[None] = body
        await self.client.send(m)


def step(text):
    print(text, flush=True)


async def friends(a, b):
    step("friends")
    for x, y in ((a, b), (b, a)):
        x.roster.approve(y.jid.bare())
        x.roster.subscribe(y.jid.bare())
    await a.wait("available", b.jid)
    await b.wait("available", a.jid)


async def carbons(phone, desk, juliet):
    step("carbons")
    for d in (phone, desk):
        await d.carbons.enable()
    await phone.say(juliet.jid, "copy of what is sent")
    await juliet.said("copy of what is sent")
    await desk.wait("message", fits=lambda _, m: m.xep0280_sent and m.xep0280_sent.stanza.body.any() == "copy of what is sent")
    await juliet.say(phone.jid, "copy of what comes")
    await phone.said("copy of what comes")
    await desk.wait("message", fits=lambda _, m: m.xep0280_received and m.xep0280_received.stanza.body.any() == "copy of what comes")


async def resume(phone, juliet):
    step("resume")
    jid, sm = phone.jid, phone.client.stream.sm_id
    phone.events.clear()
    stream = phone.client.stream._xmlstream
    stream._transport.abort()
    stream.connection_lost(ConnectionResetError("the socket was cut"))
    await phone.wait("suspended")
    sent = asyncio.ensure_future(juliet.say(jid, "while you were gone"))
    await phone.wait("resumed")
    await phone.said("while you were gone")
    await sent
    assert phone.jid == jid and phone.client.stream.sm_id == sm, phone.jid
    assert ("established",) not in phone.events, "another session"
    await phone.say(juliet.jid, "back again")
    await juliet.said("back again")


async def avatar(phone, desk, juliet):
    step("avatar")
    pictures = AvatarSet()
    pictures.add_avatar_image("image/png", image_bytes=PICTURE)
    await phone.avatar.publish_avatar_set(pictures)
    await juliet.wait("avatar", ROMEO, [HASH])
    descriptor, = await juliet.avatar.get_avatar_metadata(ROMEO)
    assert await descriptor.get_image_bytes() == PICTURE
    card = await juliet.vcard.get_vcard(ROMEO)
    assert card.get_photo_data() == PICTURE and card.get_photo_mime_type() == "image/png"
    # and the other way
    card.set_photo_data("image/png", OTHER)
    await desk.vcard.set_vcard(card)
    other = hashlib.sha1(OTHER).hexdigest()
    await juliet.wait("avatar", ROMEO, [other])
    descriptor, = await juliet.avatar.get_avatar_metadata(ROMEO, require_fresh=True)
    assert await descriptor.get_image_bytes() == OTHER
    await phone.avatar.disable_avatar()
    await juliet.wait("avatar", ROMEO, [])
    assert (await juliet.vcard.get_vcard(ROMEO)).get_photo_data() is None


async def bookmarks(phone, desk):
    step("bookmarks")
    rooms = [aioxmpp.JID(name, "conference." + DOMAIN, None) for name in ("play", "orchard")]
    room = aioxmpp.bookmarks.xso.Conference("The Play", rooms[0], autojoin=True, nick="R")
    await phone.marks.set_bookmarks([room])
    items = (await desk.pubsub.get_items(ROMEO, "urn:xmpp:bookmarks:1")).payload.items
    assert [i.id_ for i in items] == [str(rooms[0])], items
    await desk.marks.add_bookmark(aioxmpp.bookmarks.xso.Conference("Orchard", rooms[1]))
    items = (await phone.pubsub.get_items(ROMEO, "urn:xmpp:bookmarks:1")).payload.items
    assert [i.id_ for i in items] == [str(r) for r in rooms], items
    await desk.pubsub.retract(ROMEO, "urn:xmpp:bookmarks:1", str(rooms[0]), notify=True)
    got = await phone.marks.get_bookmarks()
    assert [(b.jid, b.name) for b in got] == [(rooms[1], "Orchard")], got


async def blocking(phone, desk, juliet):
    step("blocking")
    juliet.events.clear()
    await phone.blocking.block_jids([JULIET])
    await desk.wait("blocked", JULIET)
    await juliet.wait("unavailable", phone.jid)
    await juliet.say(ROMEO, "do you hear me?")
    _, error = await juliet.wait("error")
    assert error.error.condition == aioxmpp.ErrorCondition.SERVICE_UNAVAILABLE, error
    assert desk.blocking.blocklist == {JULIET}, desk.blocking.blocklist
    await desk.blocking.unblock_jids([JULIET])
    await phone.wait("unblocked", JULIET)
    await juliet.wait("available", phone.jid)
    await juliet.say(ROMEO, "and now?")
    await phone.said("and now?")


async def events(phone, desk, juliet):
    step("events")
    tune = Tune()
    tune.title = "Dance of the Knights"
    await phone.pep.publish(TUNE, tune)
    for d in (desk, juliet):
        await d.wait("tune", ROMEO, tune.title)
    late = Device(JULIET.replace(resource="late"))
    async with late.client.connected():
        await late.wait("tune", ROMEO, tune.title)


async def main():
    phone, desk, juliet = (Device(jid.replace(resource=r)) for jid, r in ((ROMEO, "phone"), (ROMEO, "desk"), (JULIET, "balcony")))
    step("login")
    async with phone.client.connected(), desk.client.connected(), juliet.client.connected():
        await friends(phone, juliet)
        await carbons(phone, desk, juliet)
        await resume(phone, juliet)
        await avatar(phone, desk, juliet)
        await bookmarks(phone, desk)
        await blocking(phone, desk, juliet)
        await events(phone, desk, juliet)
    step("all is well")


asyncio.run(main())
