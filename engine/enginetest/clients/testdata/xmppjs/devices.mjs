// A user with two devices, and a friend, on @xmpp/client, which has streams, logins
// and requests, and leaves the rest to its users.
//
// Arguments: address, port, CA file, domain, password, URL of WebSocket, port of TLS
// from the first byte. Every step is printed; the first one that does not go as it
// should ends the program with a trace.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";

import { client as make, xml } from "@xmpp/client";

const [, , , port, , domain, password, , direct] = process.argv;
const romeo = `romeo@${domain}`;
const juliet = `juliet@${domain}`;
const patience = 20_000;
const picture = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";
const sha1 = (base64) => createHash("sha1").update(Buffer.from(base64, "base64")).digest("hex");
const hash = sha1(picture);

const PUBSUB = "http://jabber.org/protocol/pubsub";
const DISCO = "http://jabber.org/protocol/disco#info";
const DATA = "urn:xmpp:avatar:data";
const METADATA = "urn:xmpp:avatar:metadata";
const BOOKMARKS = "urn:xmpp:bookmarks:1";
const OMEMO = "eu.siacs.conversations.axolotl.devicelist";
const FEATURES = [DISCO, `${METADATA}+notify`, `${OMEMO}+notify`].sort();
const NODE = "https://example.org/test";
const ver = createHash("sha1").update(`client/pc//<${FEATURES.map((f) => `${f}<`).join("")}`).digest("base64");

const step = (text) => console.log(text);
const at = (el, ...path) => path.reduce((e, name) => e?.getChild(name), el);

class Device {
  constructor(jid, service = `xmpp://${domain}:${port}`) {
    const [local, rest] = jid.split("@");
    this.seen = [];
    this.came = () => {};
    this.xmpp = make({ service, domain, resource: rest.split("/")[1], username: local, password });
    this.xmpp.timeout = patience;
    this.xmpp.reconnect.delay = 100;
    this.xmpp.on("error", () => {});
    this.xmpp.on("stanza", (el) => this.note(el.name, el));
    this.xmpp.on("online", () => this.note("online"));
    this.xmpp.streamManagement.on("resumed", () => this.note("resumed"));
    this.xmpp.iqCallee.get(DISCO, "query", () =>
      xml("query", { xmlns: DISCO, node: `${NODE}#${ver}` },
        xml("identity", { category: "client", type: "pc" }), ...FEATURES.map((f) => xml("feature", { var: f }))));
  }

  note(name, el) {
    this.seen.push([name, el]);
    this.came();
  }

  async login() {
    await this.xmpp.start();
    this.jid = this.xmpp.jid.toString();
    await this.get(xml("query", "jabber:iq:roster"));
    await this.xmpp.send(xml("presence", {}, xml("c", { xmlns: "http://jabber.org/protocol/caps", hash: "sha-1", node: NODE, ver })));
    await this.presence(this.jid);
    return this;
  }

  // Takes the first event that fits; what came before stays.
  async wait(name, fits = () => true) {
    const end = Date.now() + patience;
    for (;;) {
      const i = this.seen.findIndex(([n, e]) => n === name && fits(e));
      if (i >= 0) return this.seen.splice(i, 1)[0][1];
      const left = end - Date.now();
      if (left <= 0) {
        throw new Error(`${this.jid} waits for ${name}, ${fits}, and has got ${this.seen.slice(-10).map(([n, e]) => e ?? n).join("\n")}`);
      }
      await new Promise((resolve) => {
        this.came = resolve;
        setTimeout(resolve, left);
      });
    }
  }

  get(payload, to) { return this.xmpp.iqCaller.get(payload, to, patience); }
  set(payload, to) { return this.xmpp.iqCaller.set(payload, to, patience); }
  presence(from, type) { return this.wait("presence", (p) => p.attrs.from === from && p.attrs.type === type); }
  said(body) { return this.wait("message", (m) => m.getChildText("body") === body); }
  say(to, body) { return this.xmpp.send(xml("message", { to, type: "chat" }, xml("body", {}, body))); }

  publish(node, id, payload, options) {
    return this.set(xml("pubsub", { xmlns: PUBSUB }, xml("publish", { node }, xml("item", { id }, payload)), options && form(options)));
  }

  async items(node, to) {
    return (await this.get(xml("pubsub", { xmlns: PUBSUB }, xml("items", { node })), to)).getChild("items").getChildren("item");
  }

  // An event of that node.
  event(node, fits) {
    return this.wait("message", (m) => {
      const items = at(m, "event", "items");
      return items?.attrs.node === node && fits(items.getChild("item"), m);
    });
  }
}

function form(values) {
  const field = (name, value) => xml("field", { var: name }, xml("value", {}, value));
  return xml("publish-options", {}, xml("x", { xmlns: "jabber:x:data", type: "submit" },
    field("FORM_TYPE", `${PUBSUB}#publish-options`), ...Object.entries(values).map(([k, v]) => field(`pubsub#${k}`, v))));
}

async function logins() {
  step("logins");
  for (const service of [`xmpp://${domain}:${port}`, `xmpps://${domain}:${direct}`]) {
    const d = new Device(`${juliet}/login`, service);
    const tried = [];
    d.xmpp.on("send", (el) => { if (el.name === "authenticate") tried.push(el.attrs.mechanism); });
    await d.login();
    await d.xmpp.stop();
    await d.login(); // with the token that it has got (XEP-0388, XEP-0386, XEP-0484)
    await d.xmpp.stop();
    assert.deepEqual(tried, ["SCRAM-SHA-1", "HT-SHA-256-NONE"]);
  }
}

async function friends(a, b) {
  step("friends");
  for (const type of ["subscribed", "subscribe"]) {
    for (const [x, to] of [[a, juliet], [b, romeo]]) await x.xmpp.send(xml("presence", { to, type }));
  }
  await a.presence(b.jid);
  await b.presence(a.jid);
}

async function carbons(phone, desk, friend) {
  step("carbons");
  const copied = (way, body) =>
    desk.wait("message", (m) => at(m, way, "forwarded", "message")?.getChildText("body") === body);
  for (const d of [phone, desk]) await d.set(xml("enable", "urn:xmpp:carbons:2"));
  await phone.say(friend.jid, "copy of what is sent");
  await friend.said("copy of what is sent");
  await copied("sent", "copy of what is sent");
  await friend.say(phone.jid, "copy of what comes");
  await phone.said("copy of what comes");
  await copied("received", "copy of what comes");
}

async function resume(phone, friend) {
  step("resume");
  const { id } = phone.xmpp.streamManagement;
  phone.seen = [];
  phone.xmpp.socket.socket.destroy(); // it connects again by itself
  await friend.say(phone.jid, "while you were gone");
  await phone.wait("resumed");
  await phone.said("while you were gone");
  assert.equal(phone.xmpp.streamManagement.id, id);
  assert.equal(phone.xmpp.jid.toString(), phone.jid);
  await phone.say(friend.jid, "back again");
  await friend.said("back again");
}

async function archive(phone, friend) {
  step("archive");
  for (let i = 0; i < 35; i++) await phone.say(juliet, `line ${i}`);
  await friend.said("line 34");
  const page = async (...set) => {
    const queryid = String(Math.random());
    const fields = [["FORM_TYPE", "urn:xmpp:mam:2"], ["with", romeo]].map(([name, v]) => xml("field", { var: name }, xml("value", {}, v)));
    const query = xml("query", { xmlns: "urn:xmpp:mam:2", queryid }, xml("x", { xmlns: "jabber:x:data", type: "submit" }, ...fields),
      xml("set", { xmlns: "http://jabber.org/protocol/rsm" }, ...set));
    const fin = (await friend.xmpp.iqCaller.request(xml("iq", { type: "set" }, query), patience)).getChild("fin");
    const results = friend.seen.filter(([, e]) => e?.getChild("result")?.attrs.queryid === queryid);
    return { fin, bodies: results.map(([, e]) => at(e, "result", "forwarded", "message").getChildText("body")) };
  };
  const got = [];
  for (let last; ;) {
    const { fin, bodies } = await page(xml("max", {}, "10"), last && xml("after", {}, last));
    got.push(...bodies);
    if (fin.attrs.complete === "true") break;
    last = fin.getChild("set").getChildText("last");
  }
  assert.deepEqual(got.slice(-35), Array.from({ length: 35 }, (_, i) => `line ${i}`));
  assert.equal(got[0], "copy of what is sent");
  assert.equal(new Set(got).size, got.length);
  const { bodies } = await page(xml("max", {}, "15"), xml("before"));
  assert.deepEqual(bodies, Array.from({ length: 15 }, (_, i) => `line ${20 + i}`));
}

async function avatar(phone, desk, friend) {
  step("avatar");
  const open = { access_model: "open" };
  await phone.publish(DATA, hash, xml("data", { xmlns: DATA }, picture), open);
  const info = xml("info", { id: hash, type: "image/png", bytes: "69" });
  await phone.publish(METADATA, hash, xml("metadata", { xmlns: METADATA }, info), open);
  await friend.event(METADATA, (item) => item.attrs.id === hash);
  const [item] = await friend.items(DATA, romeo);
  assert.equal(item.getChildText("data"), picture);
  await friend.wait("presence", (p) => p.attrs.from === desk.jid && p.getChild("x", "vcard-temp:x:update")?.getChildText("photo") === hash);
  const card = await friend.get(xml("vCard", "vcard-temp"), romeo);
  assert.equal(at(card, "PHOTO").getChildText("BINVAL"), picture);
  // and the other way
  const other = Buffer.concat([Buffer.from(picture, "base64"), Buffer.from("more")]).toString("base64");
  const photo = xml("PHOTO", {}, xml("TYPE", {}, "image/png"), xml("BINVAL", {}, other));
  await desk.set(xml("vCard", { xmlns: "vcard-temp" }, photo));
  await friend.event(METADATA, (i) => i.attrs.id === sha1(other));
  assert.equal((await friend.items(DATA, romeo))[0].getChildText("data"), other);
  await phone.publish(METADATA, undefined, xml("metadata", { xmlns: METADATA }));
  await friend.event(METADATA, (i) => !i.getChild("metadata").getChild("info"));
}

async function bookmarks(phone, desk) {
  step("bookmarks");
  const [play, orchard] = ["play", "orchard"].map((name) => `${name}@conference.${domain}`);
  const storage = (...rooms) => xml("query", { xmlns: "jabber:iq:private" }, xml("storage", { xmlns: "storage:bookmarks" }, ...rooms));
  await phone.set(storage(xml("conference", { jid: play, name: "The Play", autojoin: "true" }, xml("nick", {}, "R"))));
  const [item] = await desk.items(BOOKMARKS);
  assert.equal(item.attrs.id, play);
  assert.equal(item.getChild("conference").attrs.name, "The Play");
  await desk.publish(BOOKMARKS, orchard, xml("conference", { xmlns: BOOKMARKS, name: "Orchard" }),
    { persist_items: "true", max_items: "max", send_last_published_item: "never", access_model: "whitelist" });
  const names = (el) => el.getChild("storage").getChildren("conference").map((c) => [c.attrs.jid, c.attrs.name]);
  const want = [[play, "The Play"], [orchard, "Orchard"]];
  assert.deepEqual(names(await phone.get(storage())), want);
  assert.deepEqual(names((await phone.items("storage:bookmarks"))[0]), want);
}

async function blocking(phone, desk, friend) {
  step("blocking");
  const list = (name) => xml(name, { xmlns: "urn:xmpp:blocking" }, xml("item", { jid: juliet }));
  const blocked = () => desk.get(xml("blocklist", "urn:xmpp:blocking"));
  assert.equal((await blocked()).getChildren("item").length, 0);
  friend.seen = [];
  await phone.set(list("block"));
  await desk.wait("iq", (iq) => iq.getChild("block"));
  await friend.presence(phone.jid, "unavailable");
  await friend.say(romeo, "do you hear me?");
  const refused = await friend.wait("message", (m) => m.attrs.type === "error");
  assert.ok(refused.getChild("error").getChild("service-unavailable"));
  assert.deepEqual((await blocked()).getChildren("item").map((i) => i.attrs.jid), [juliet]);
  await desk.set(list("unblock"));
  await friend.presence(phone.jid);
  await friend.say(romeo, "and now?");
  await phone.said("and now?");
}

async function events(phone, desk, friend) {
  step("events");
  const devices = xml("list", { xmlns: "eu.siacs.conversations.axolotl" }, xml("device", { id: "31415" }));
  await phone.publish(OMEMO, "current", devices, { access_model: "open" });
  const listed = (item) => item.getChild("list").getChild("device").attrs.id === "31415";
  for (const d of [desk, friend]) await d.event(OMEMO, (item, m) => m.attrs.from === romeo && listed(item));
  const late = await new Device(`${juliet}/late`).login();
  await late.event(OMEMO, (item, m) => m.attrs.from === romeo && listed(item));
  await late.xmpp.stop();
}

await logins();
const phone = await new Device(`${romeo}/phone`).login();
const desk = await new Device(`${romeo}/desk`).login();
const friend = await new Device(`${juliet}/balcony`).login();
await friends(phone, friend);
await carbons(phone, desk, friend);
await resume(phone, friend);
await archive(phone, friend);
await avatar(phone, desk, friend);
await bookmarks(phone, desk);
await blocking(phone, desk, friend);
await events(phone, desk, friend);
for (const d of [phone, desk, friend]) await d.xmpp.stop();
step("all is well");
process.exit(0);
