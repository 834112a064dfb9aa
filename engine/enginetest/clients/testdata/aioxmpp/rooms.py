"""The life of a room, seen by three users on aioxmpp.

Arguments: address, port, CA file, domain, password. Every step is printed; the
first one that does not go as XEP-0045 says ends the program with a traceback.
"""
import asyncio
import sys

import aioxmpp
import aioxmpp.muc
import aioxmpp.muc.xso
from aioxmpp.muc import LeaveMode

HOST, PORT, _, DOMAIN, PASSWORD = sys.argv[1], int(sys.argv[2]), *sys.argv[3:6]
ROOM = aioxmpp.JID.fromstr("hall@conference." + DOMAIN)
PATIENCE = 20


class User:
    def __init__(self, name):
        self.nick = name
        self.bare = aioxmpp.JID(name, DOMAIN, None)
        self.client = aioxmpp.PresenceManagedClient(
            self.bare.replace(resource="aioxmpp"),
            aioxmpp.make_security_layer(PASSWORD, no_verify=True),
            override_peer=[(HOST, PORT, aioxmpp.connector.STARTTLSConnector())])
        self.muc = self.client.summon(aioxmpp.MUCClient)
        self.room = None
        self.events = []
        self.came = asyncio.Event()

    def note(self, *event):
        self.events.append(event)
        self.came.set()

    async def enter(self, password=None, history=0):
        """Enters the room; what happens there is noted."""
        self.events.clear()
        self.room, entered = self.muc.join(ROOM, self.nick, password=password, autorejoin=False,
                                           history=aioxmpp.muc.xso.History(maxstanzas=history))
        r = self.room
        r.on_muc_enter.connect(lambda p, o, muc_status_codes=(), **_: self.note("enter", set(map(int, map(code, muc_status_codes)))))
        r.on_message.connect(lambda msg, member, source, **_: self.note(
            "message", member.nick, msg.body.any(), bool(msg.xep0203_delay)))
        r.on_join.connect(lambda member, **_: self.note("join", member.nick))
        r.on_leave.connect(lambda member, muc_leave_mode=None, **_: self.note("leave", member.nick, muc_leave_mode))
        r.on_nick_changed.connect(lambda member, old, new, **_: self.note("nick", old, new))
        r.on_topic_changed.connect(lambda member, topic, **_: self.note("topic", topic.any() if topic else ""))
        r.on_exit.connect(lambda muc_leave_mode=None, muc_reason=None, **_: self.note("exit", muc_leave_mode, muc_reason))
        await asyncio.wait_for(entered, PATIENCE)

    async def enters_not(self, condition, **how):
        try:
            await self.enter(**how)
        except aioxmpp.errors.XMPPError as e:
            assert e.condition == condition, f"{self.nick} gets {e.condition}, want {condition}"
            return
        raise AssertionError(f"{self.nick} enters, want {condition}")

    async def wait(self, *event):
        """Takes the first event that begins so; what came before stays."""
        async def look():
            while True:
                for e in self.events:
                    if e[:len(event)] == event:
                        self.events.remove(e)
                        return e
                self.came.clear()
                await self.came.wait()
        try:
            return await asyncio.wait_for(look(), PATIENCE)
        except asyncio.TimeoutError:
            raise AssertionError(f"{self.nick} waits for {event} and has got {self.events}") from None

    def say(self, body):
        msg = aioxmpp.Message(type_=aioxmpp.MessageType.GROUPCHAT)
        msg.body[None] = body
        return self.room.send_message(msg)

    async def configure(self, **values):
        form = aioxmpp.muc.ConfigurationForm.from_xso(await self.muc.get_room_config(ROOM))
        for name, value in values.items():
            getattr(form, name).value = value
        await self.muc.set_room_config(ROOM, form.render_reply())

    async def refused(self, condition, what):
        try:
            await what
        except aioxmpp.errors.XMPPError as e:
            assert e.condition == condition, f"{self.nick} gets {e.condition}, want {condition}"
            return
        raise AssertionError(f"{self.nick} may, want {condition}")


def code(status):
    return getattr(status, "value", status)


def step(text):
    print(text, flush=True)


async def main():
    C = aioxmpp.errors.ErrorCondition
    romeo, juliet, nurse = users = [User(n) for n in ("romeo", "juliet", "nurse")]
    async with romeo.client.connected(), juliet.client.connected(), nurse.client.connected():
        private = asyncio.Queue()
        dispatcher = romeo.client.summon(aioxmpp.dispatcher.SimpleMessageDispatcher)
        for kind in (aioxmpp.MessageType.CHAT, aioxmpp.MessageType.NORMAL):
            dispatcher.register_callback(kind, ROOM.replace(resource="juliet"), private.put_nowait)

        step("create")
        await romeo.enter()
        assert {201, 110} <= (await romeo.wait("enter"))[1]
        await juliet.enters_not(C.ITEM_NOT_FOUND)  # it is locked

        step("configure")
        await romeo.configure(roomname="Great hall", persistentroom=True, changesubject=True)
        info = await juliet.client.summon(aioxmpp.DiscoClient).query_info(ROOM)
        assert "muc_persistent" in info.features and any(i.name == "Great hall" for i in info.identities), info.features

        step("join")
        await juliet.enter()
        assert {m.nick for m in juliet.room.members} == {"romeo", "juliet"}, juliet.room.members
        await romeo.wait("join", "juliet")

        step("talk")
        for i in range(20):
            romeo.say(f"line {i}")
            juliet.say(f"verse {i}")
        for user in (romeo, juliet):
            for i in range(20):
                await user.wait("message", "romeo", f"line {i}", False)
                await user.wait("message", "juliet", f"verse {i}", False)
        await juliet.room.set_topic({None: "On love"})
        await romeo.wait("topic", "On love")

        step("history")
        await nurse.enter(history=5)
        await nurse.wait("topic", "On love")
        told = [e for e in nurse.events if e[0] == "message"]
        assert len(told) == 5 and all(e[3] for e in told), nurse.events
        assert {e[2] for e in told[-2:]} <= {"line 18", "line 19", "verse 18", "verse 19"}, told

        step("private message")
        msg = aioxmpp.Message(type_=aioxmpp.MessageType.CHAT, to=ROOM.replace(resource="romeo"))
        msg.body[None] = "only you"
        await juliet.client.send(msg)
        got = await asyncio.wait_for(private.get(), PATIENCE)
        assert got.body.any() == "only you" and got.from_ == ROOM.replace(resource="juliet"), got

        step("change nick")
        await juliet.room.set_nick("capulet")
        await romeo.wait("nick", "juliet", "capulet")
        await juliet.wait("nick", "juliet", "capulet")
        await juliet.room.set_nick("juliet")
        await romeo.wait("nick", "capulet", "juliet")
        await juliet.wait("nick", "capulet", "juliet")

        step("kick")
        await romeo.room.muc_set_role("nurse", "none", reason="out")
        await nurse.wait("exit", LeaveMode.KICKED, "out")
        await romeo.wait("leave", "nurse", LeaveMode.KICKED)
        await juliet.refused(C.FORBIDDEN, juliet.room.muc_set_role("romeo", "none"))

        step("ban")
        await nurse.enter()
        await romeo.room.muc_set_affiliation(nurse.bare, "outcast", reason="for good")
        await nurse.wait("exit", LeaveMode.BANNED, "for good")
        await nurse.enters_not(C.FORBIDDEN)
        await romeo.room.muc_set_affiliation(nurse.bare, "none")

        step("members only")
        await romeo.room.muc_set_affiliation(juliet.bare, "member")
        await romeo.configure(membersonly=True)
        await nurse.enters_not(C.REGISTRATION_REQUIRED)
        await romeo.room.muc_set_affiliation(nurse.bare, "member")
        await nurse.enter()
        await romeo.room.muc_set_affiliation(nurse.bare, "none")
        await nurse.wait("exit", LeaveMode.AFFILIATION_CHANGE)
        await romeo.configure(membersonly=False)

        step("password")
        await romeo.configure(passwordprotectedroom=True, roomsecret="balcony")
        await nurse.enters_not(C.NOT_AUTHORIZED)
        await nurse.enters_not(C.NOT_AUTHORIZED, password="window")
        await nurse.enter(password="balcony")

        step("leave")
        await nurse.room.leave()
        await nurse.wait("exit", LeaveMode.NORMAL)
        await romeo.wait("leave", "nurse", LeaveMode.NORMAL)

        step("destroy")
        query = aioxmpp.muc.xso.OwnerQuery(destroy=aioxmpp.muc.xso.DestroyRequest())
        query.destroy.reason = "the end"
        await romeo.client.send(aioxmpp.IQ(type_=aioxmpp.IQType.SET, to=ROOM, payload=query))
        await juliet.wait("exit")
        await juliet.enter()
        assert 201 in (await juliet.wait("enter"))[1]
        await juliet.room.leave()
    step("all is well")


asyncio.run(main())
