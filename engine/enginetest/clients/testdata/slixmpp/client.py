"""A client on slixmpp, told what to do by lines of JSON on standard input.

Every line of output is one event. Package clients has the vocabulary.
"""
import asyncio
import io
import json
import os
import signal
import ssl
import sys
import xml.etree.ElementTree as ET

import aiohttp
import slixmpp
from slixmpp.exceptions import IqError, IqTimeout
from slixmpp.plugins.xep_0363.http_upload import FileUploadError
from slixmpp.xmlstream.handler import Callback
from slixmpp.xmlstream.matcher import MatchXPath

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


class Client(slixmpp.ClientXMPP):
    def __init__(self, cmd):
        super().__init__(cmd["jid"], cmd["password"], sasl_mech=cmd.get("mechanism") or None)
        self.auto_authorize = None
        self.auto_subscribe = False
        self.ca_certs = cmd["ca"]
        self.default_port = cmd["port"]  # of what the resolver finds
        if cmd.get("tls"):
            self.ssl_context.minimum_version = VERSIONS[cmd["tls"]]
            self.ssl_context.maximum_version = VERSIONS[cmd["tls"]]
        for plugin in ("xep_0004", "xep_0030", "xep_0050", "xep_0092", "xep_0199", "xep_0203"):
            self.register_plugin(plugin)
        if cmd.get("managed"):
            self.register_plugin("xep_0198")
            self.add_event_handler("sm_enabled", lambda _: say("managed"))
        if cmd["do"] == "register":
            self.register_plugin("xep_0077")
            self._always_send_everything = True  # else 1.8 holds the registration back until login
            self.add_event_handler("register", self.register_account)
        self.over = asyncio.get_running_loop().create_future()
        self.add_event_handler("session_start", self.online)
        self.add_event_handler("failed_auth", self.refused)
        self.add_event_handler("failed_all_auth", lambda _: self.end())
        self.add_event_handler("disconnected", lambda _: self.end())
        self.register_handler(Callback("m", MatchXPath("{jabber:client}message"), self.message_came))
        self.register_handler(Callback("p", MatchXPath("{jabber:client}presence"), self.presence_came))
        self.condition = ""

    async def login(self, cmd):
        self.connect((cmd["domain"], cmd["port"]), use_ssl=cmd["direct"], force_starttls=not cmd["direct"])
        await self.over

    def online(self, _):
        say("online", jid=self.boundjid.full, tls=self.socket.version(), mechanism=self["feature_mechanisms"].mech.name)
        if not self.over.done():
            self.over.set_result(None)

    def refused(self, failure):
        self.condition = failure["condition"]

    def end(self):
        if not self.over.done():
            say("refused", condition=self.condition)
            self.over.set_result(None)

    async def register_account(self, _):
        iq = self.Iq(stype="set")
        iq["register"]["username"] = self.boundjid.user
        iq["register"]["password"] = self.password
        try:
            await iq.send()
            say("registered")
        except IqError as e:
            say("refused", condition=e.condition)
            self.over.set_result(None)
            self.disconnect()

    def message_came(self, m):
        say("message", **{"from": m["from"].full}, type=m["type"], body=m["body"],
            stamp=m.xml.find("{urn:xmpp:delay}delay") is not None, condition=m["error"]["condition"] if m["type"] == "error" else "")

    def presence_came(self, p):
        kind = p.xml.get("type", "")
        say("presence", **{"from": p["from"].full}, type=kind, show=p.xml.findtext("{jabber:client}show") or "", status=p["status"])


client = None


async def login(cmd):
    global client
    client = Client(cmd)
    await client.login(cmd)


async def presence(cmd):
    client.send_presence(pto=cmd.get("to") or None, ptype=cmd.get("type") or None,
                         pshow=cmd.get("show") or None, pstatus=cmd.get("status") or None)


async def send(cmd):
    for i in range(cmd["n"]):
        client.send_message(mto=cmd["to"], mbody=f"{cmd['body']} {i}", mtype="chat")


async def ping(cmd):
    await client["xep_0199"].send_ping(cmd["to"], timeout=30)
    say("pong")


async def roster(cmd):
    await client.get_roster(timeout=30)
    items = {jid: {"name": client.client_roster[jid]["name"], "subscription": client.client_roster[jid]["subscription"]}
             for jid in client.client_roster.keys() if jid != client.boundjid.bare}
    say("roster", items=items)


async def roster_set(cmd):
    await client.update_roster(cmd["to"], name=cmd["name"], groups=["Friends"], timeout=30)
    say("done")


async def roster_remove(cmd):
    await client.del_roster_item(cmd["to"])
    client.client_roster._jids.pop(cmd["to"], None)
    say("done")


async def disco(cmd):
    info = (await client["xep_0030"].get_info(cmd["to"], timeout=30))["disco_info"]
    say("info", features=sorted(info["features"]), identities=[f"{i[0]}/{i[1]}" for i in info["identities"]])


async def version(cmd):
    v = (await client["xep_0092"].get_version(cmd["to"], timeout=30))["software_version"]
    say("version", name=v["name"])


async def upload(cmd):
    """Finds the service, and puts a file of n bytes there."""
    client.register_plugin("xep_0363")
    client["xep_0363"].upload_service = await upload_service()
    data = contents(cmd["n"])
    url = await client["xep_0363"].upload_file(cmd["name"], size=len(data), input_file=io.BytesIO(data), timeout=30)
    say("uploaded", url=url)


async def upload_service():
    """As XEP-0363 §3 says: that of slixmpp 1.8 does not run on Python 3.11."""
    disco = client["xep_0030"]
    items = await disco.get_items(client.boundjid.domain, timeout=30)
    for jid, _, _ in items["disco_items"]["items"]:
        info = await disco.get_info(jid, timeout=30)
        if "urn:xmpp:http:upload:0" in info["disco_info"]["features"]:
            return jid


async def fetch(cmd):
    async with aiohttp.ClientSession() as session, session.get(cmd["url"]) as answer:
        data = await answer.read()
        say("fetched", status=str(answer.status), type=answer.headers["Content-Type"], same=data == contents(len(data)), n=len(data))


def contents(n):
    """The same bytes in every client."""
    return bytes((i * 7 + i // 251) % 256 for i in range(n))


async def enable(cmd):
    """Wants an app server to hear of messages (XEP-0357), with a secret that it knows us by."""
    iq = client.Iq(stype="set")
    e = ET.SubElement(iq.xml, "{urn:xmpp:push:0}enable", {"jid": cmd["to"], "node": cmd["name"]})
    form = client["xep_0004"].make_form(ftype="submit")
    form.add_field(var="FORM_TYPE", ftype="hidden", value="http://jabber.org/protocol/pubsub#publish-options")
    form.add_field(var="secret", value="s3cret")
    e.append(form.xml)
    await iq.send(timeout=30)
    say("enabled")


async def serve(_):
    """Is an app server: takes what is published, and says so."""
    pubsub = "{http://jabber.org/protocol/pubsub}"
    data = "{jabber:x:data}"

    def published(iq):
        fields = {f.get("var"): f.findtext(data + "value") for f in iq.xml.iter(data + "field")}
        node = iq.xml.find(f"{pubsub}pubsub/{pubsub}publish").get("node")
        say("push", **{"from": iq["from"].full}, name=node, n=int(fields["message-count"]), values=fields)
        iq.reply().send()

    client.register_handler(Callback("push", MatchXPath("{jabber:client}iq/" + pubsub + "pubsub"), published))
    say("serving")


async def execute(cmd):
    """Runs an ad-hoc command (XEP-0050) of one form."""
    adhoc = client["xep_0050"]
    c = (await adhoc.send_command(cmd["to"], cmd["name"], timeout=30))["command"]
    if c["status"] == "executing":
        form = client["xep_0004"].make_form(ftype="submit")
        for name, value in cmd["values"].items():
            form.add_field(var=name, value=value)
        c = (await adhoc.send_command(cmd["to"], cmd["name"], action="complete", sessionid=c["sessionid"],
                                      payload=[form], timeout=30))["command"]
    values = {f.get("var"): f.findtext("{jabber:x:data}value") or "" for f in c.xml.iter("{jabber:x:data}field")}
    say("executed", status=c["status"], values=values)


async def commands(cmd):
    items = await client["xep_0050"].get_commands(cmd["to"], timeout=30)
    say("commands", features=sorted(i[1] for i in items["disco_items"]["items"]))


async def change(cmd):
    """Changes the own password, or with none removes the account."""
    client.register_plugin("xep_0077")
    if cmd["password"]:
        await client["xep_0077"].change_password(cmd["password"], timeout=30)
    else:
        await client["xep_0077"].cancel_registration(timeout=30)
    say("done")


async def die(_):
    """Is gone without a word."""
    os.kill(os.getpid(), signal.SIGKILL)


async def logout(cmd):
    await client.disconnect()
    say("offline")


COMMANDS = {
    "login": login, "register": login, "presence": presence, "send": send, "ping": ping,
    "roster": roster, "roster-set": roster_set, "roster-remove": roster_remove,
    "enable": enable, "serve": serve, "execute": execute, "commands": commands,
    "upload": upload, "fetch": fetch, "disco": disco, "version": version, "change": change, "die": die, "logout": logout,
}


async def main():
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async for line in lines:
        cmd = json.loads(line)
        try:
            await COMMANDS[cmd["do"]](cmd)
        except IqError as e:
            say("error", condition=e.condition)
        except IqTimeout:
            say("error", condition="timeout")
        except (FileUploadError, aiohttp.ClientError) as e:
            say("error", condition=f"{type(e).__name__}: {e}")


asyncio.run(main())
