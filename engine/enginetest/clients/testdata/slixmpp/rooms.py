"""The life of a room, seen by three users on slixmpp.

Arguments: address, port, CA file, domain, password. Every step is printed; the
first one that does not go as XEP-0045 says ends the program with a traceback.
"""
import asyncio
import sys

import slixmpp
from slixmpp.exceptions import IqError, PresenceError
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

HOST, PORT, CA, DOMAIN, PASSWORD = sys.argv[1], int(sys.argv[2]), *sys.argv[3:6]
ROOM = "hall@conference." + DOMAIN
PATIENCE = 20


class User(slixmpp.ClientXMPP):
    def __init__(self, name):
        super().__init__(f"{name}@{DOMAIN}/slixmpp", PASSWORD)
        self.nick = name
        self.ca_certs = CA
        self.register_plugin("xep_0045")
        self.register_plugin("xep_0030")
        self.register_plugin("xep_0199")
        self.muc = self["xep_0045"]
        self.events = []
        self.came = asyncio.Event()
        self.started = asyncio.get_running_loop().create_future()
        self.add_event_handler("session_start", lambda _: self.started.set_result(None))
        for kind in ("message", "presence"):
            self.register_handler(Callback("any " + kind, MatchXPath("{jabber:client}" + kind), self.note))

    def note(self, stanza):
        self.events.append(stanza)
        self.came.set()

    async def login(self):
        self.connect((HOST, PORT), force_starttls=True)
        await asyncio.wait_for(self.started, PATIENCE)
        self.send_presence()

    async def wait(self, what, fits):
        """Takes the first stanza that fits; what came before stays."""
        async def look():
            while True:
                for s in self.events:
                    if fits(s):
                        self.events.remove(s)
                        return s
                self.came.clear()
                await self.came.wait()
        try:
            return await asyncio.wait_for(look(), PATIENCE)
        except asyncio.TimeoutError:
            raise AssertionError(f"{self.nick} waits for {what} and has got {[str(s) for s in self.events]}") from None

    async def said(self, kind, nick, body):
        return await self.wait(f"{body!r} of {nick}", lambda s: s.name == "message" and s["type"] == kind and
                               s["from"] == f"{ROOM}/{nick}" and s["body"] == body)

    async def presence_of(self, nick, kind, *codes):
        return await self.wait(f"presence {kind} {codes} of {nick}", lambda s: s.name == "presence" and
                               s["from"] == f"{ROOM}/{nick}" and s.xml.get("type", "available") == kind and
                               set(codes) <= status(s))

    async def enter(self, **how):
        """Returns the own presence, the subject, the nicks of the others, and the history."""
        presence, subject, everybody, history = await self.muc.join_muc_wait(ROOM, self.nick, timeout=PATIENCE, **how)
        return presence, subject, sorted({p["from"].resource for p in everybody} - {self.nick}), history

    async def enters_not(self, condition, **how):
        try:
            await self.enter(**how)
        except PresenceError as e:
            got = e.presence["error"]["condition"]
            assert got == condition, f"{self.nick} gets {got}, want {condition}"
            self.events.clear()
            return
        raise AssertionError(f"{self.nick} enters, want {condition}")

    async def configure(self, **values):
        form = await self.muc.get_room_config(ROOM)
        form.reply()
        form.set_values({"muc#roomconfig_" + name: value for name, value in values.items()})
        await self.muc.set_room_config(ROOM, form)


def status(stanza):
    return {int(e.get("code")) for e in stanza.xml.iter("{http://jabber.org/protocol/muc#user}status")}


def step(text):
    print(text, flush=True)


async def main():
    romeo, juliet, nurse = (User(n) for n in ("romeo", "juliet", "nurse"))
    for user in (romeo, juliet, nurse):
        await user.login()

    step("create")
    presence, _, others, _ = await romeo.enter()
    assert {110, 201} <= status(presence) and others == [], (str(presence), others)
    await juliet.enters_not("item-not-found")  # it is locked

    step("configure")
    await romeo.configure(roomname="Great hall", persistentroom=True, changesubject=True)
    info = await juliet["xep_0030"].get_info(jid=ROOM)
    assert "muc_persistent" in info["disco_info"]["features"], str(info)
    assert ("conference", "text", None, "Great hall") in info["disco_info"]["identities"], str(info)

    step("join")
    presence, _, others, _ = await juliet.enter()
    assert 110 in status(presence) and others == ["romeo"], others
    await romeo.presence_of("juliet", "available")

    step("talk")
    for i in range(20):
        romeo.send_message(mto=ROOM, mbody=f"line {i}", mtype="groupchat")
        juliet.send_message(mto=ROOM, mbody=f"verse {i}", mtype="groupchat")
    for user in (romeo, juliet):
        for i in range(20):
            await user.said("groupchat", "romeo", f"line {i}")
            await user.said("groupchat", "juliet", f"verse {i}")
    juliet.muc.set_subject(ROOM, "On love")
    await romeo.wait("the subject", lambda s: s.name == "message" and s["subject"] == "On love")

    step("history")
    _, subject, others, history = await nurse.enter(maxstanzas=5)
    assert subject["subject"] == "On love" and others == ["juliet", "romeo"], (str(subject), others)
    assert len(history) == 5 and all(m.xml.find("{urn:xmpp:delay}delay") is not None for m in history), [str(m) for m in history]
    assert {m["body"] for m in history[-2:]} <= {"line 18", "line 19", "verse 18", "verse 19"}, [str(m) for m in history]

    step("private message")
    juliet.send_message(mto=f"{ROOM}/romeo", mbody="only you", mtype="chat")
    await romeo.said("chat", "juliet", "only you")
    assert not any("only you" in str(s) for s in nurse.events)

    step("change nick")
    juliet.send_presence(pto=f"{ROOM}/capulet")
    await romeo.presence_of("juliet", "unavailable", 303)
    await romeo.presence_of("capulet", "available")
    juliet.send_presence(pto=f"{ROOM}/romeo")
    await juliet.wait("conflict", lambda s: s.name == "presence" and s["type"] == "error" and s["error"]["condition"] == "conflict")
    juliet.send_presence(pto=f"{ROOM}/juliet")
    await romeo.presence_of("juliet", "available")
    await juliet.presence_of("juliet", "available", 110)

    step("kick")
    await romeo.muc.set_role(ROOM, "nurse", "none", reason="out")
    gone = await nurse.presence_of("nurse", "unavailable", 307, 110)
    assert gone.xml.findtext(".//{http://jabber.org/protocol/muc#user}reason") == "out", str(gone)
    try:
        await juliet.muc.set_role(ROOM, "romeo", "none")
        raise AssertionError("a participant kicks")
    except IqError as e:
        assert e.condition == "forbidden", e.condition

    step("ban")
    await nurse.enter()
    await romeo.muc.set_affiliation(ROOM, "outcast", jid=f"nurse@{DOMAIN}", reason="for good")
    await nurse.presence_of("nurse", "unavailable", 301, 110)
    await nurse.enters_not("forbidden")
    banned = await romeo.muc.get_affiliation_list(ROOM, "outcast")
    assert [str(j) for j in banned] == [f"nurse@{DOMAIN}"], banned
    await romeo.muc.set_affiliation(ROOM, "none", jid=f"nurse@{DOMAIN}")

    step("members only")
    await romeo.muc.set_affiliation(ROOM, "member", jid=f"juliet@{DOMAIN}")
    await romeo.configure(membersonly=True)
    await nurse.enters_not("registration-required")
    romeo.muc.invite(ROOM, f"nurse@{DOMAIN}", reason="come")
    invitation = await nurse.wait("an invitation", lambda s: s.name == "message" and
                                  s.xml.find(".//{http://jabber.org/protocol/muc#user}invite") is not None)
    assert invitation["from"] == ROOM, str(invitation)
    await nurse.enter()
    nurse.muc.leave_muc(ROOM, "nurse")
    await nurse.presence_of("nurse", "unavailable", 110)
    await romeo.configure(membersonly=False)

    step("password")
    await romeo.configure(passwordprotectedroom=True, roomsecret="balcony")
    await nurse.enters_not("not-authorized")
    await nurse.enters_not("not-authorized", password="window")
    await nurse.enter(password="balcony")

    step("leave")
    nurse.muc.leave_muc(ROOM, "nurse", msg="good night")
    left = await nurse.presence_of("nurse", "unavailable", 110)
    assert left["status"] == "good night", str(left)
    romeo.events.clear()
    nurse.send_message(mto=ROOM, mbody="still here?", mtype="groupchat")
    await nurse.wait("not-acceptable", lambda s: s.name == "message" and s["type"] == "error" and s["error"]["condition"] == "not-acceptable")

    step("destroy")
    juliet.events.clear()
    await romeo.muc.destroy(ROOM, reason="the end", altroom="crypt@conference." + DOMAIN)
    gone = await juliet.presence_of("juliet", "unavailable")
    end = gone.xml.find(".//{http://jabber.org/protocol/muc#user}destroy")
    assert end is not None and end.get("jid") == "crypt@conference." + DOMAIN, str(gone)
    presence, _, _, _ = await juliet.enter()
    assert 201 in status(presence), str(presence)

    for user in (romeo, juliet, nurse):
        await user.disconnect()
    step("all is well")


asyncio.run(main())
