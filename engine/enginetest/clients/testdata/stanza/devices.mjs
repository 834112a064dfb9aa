// A user with two devices, and a friend, on stanza, over WebSocket.
//
// Arguments: address, port, CA file, domain, password, URL of WebSocket. Every step is
// printed; the first one that does not go as it should ends the program with a trace.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";

import * as stanza from "stanza";

const [, , , , , domain, password, websocket] = process.argv;
const romeo = `romeo@${domain}`;
const juliet = `juliet@${domain}`;
const patience = 20_000;
const picture = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC",
  "base64",
);
const hash = createHash("sha1").update(picture).digest("hex");
const EVENTS = [
  "session:started", "stream:management:resumed", "carbon:sent", "carbon:received", "message", "message:error",
  "disconnected", "avatar", "block", "unblock", "tune", "presence", "pubsub:published",
];

const step = (text) => console.log(text);

class Device {
  constructor(jid, mechanism) {
    this.events = [];
    this.came = () => {};
    this.client = stanza.createClient({ jid, resource: jid.split("/")[1], password, transports: { websocket, bosh: false } });
    if (mechanism) for (const m of ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "DIGEST-MD5", "PLAIN"]) {
      if (m !== mechanism) this.client.sasl.disable(m);
    }
    this.client.on("raw", (way, data) => {
      if (way === "outgoing" && data.includes("mechanism=")) this.mechanism = /mechanism=["']([^"']*)/.exec(data)[1];
    });
    for (const name of EVENTS) {
      this.client.on(name, (e) => {
        this.events.push([name, e]);
        this.came();
      });
    }
  }

  async login() {
    this.client.connect();
    await this.wait("session:started");
    await this.client.getRoster();
    this.client.updateCaps(); // or its first presence has none
    this.client.sendPresence({ legacyCapabilities: this.client.disco.getCaps() });
    await this.wait("presence", (p) => p.from === this.client.jid);
    return this;
  }

  // Takes the first event that fits; what came before stays.
  async wait(name, fits = () => true) {
    const end = Date.now() + patience;
    for (;;) {
      const i = this.events.findIndex(([n, e]) => n === name && fits(e));
      if (i >= 0) return this.events.splice(i, 1)[0][1];
      const left = end - Date.now();
      if (left <= 0) {
        const got = JSON.stringify(this.events.slice(-10));
        throw new Error(`${this.client.jid} waits for ${name}, ${fits}, and has got ${got}`);
      }
      await new Promise((resolve) => {
        this.came = resolve;
        setTimeout(resolve, left);
      });
    }
  }

  said(body) { return this.wait("message", (m) => m.body === body); }
  say(to, body) { this.client.sendMessage({ to, body, type: "chat" }); }

  end() {
    this.client.disconnect();
  }
}

async function logins() {
  step("logins");
  for (const m of ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN"]) {
    const d = await new Device(`${juliet}/${m}`, m).login();
    assert.equal(d.mechanism, m);
    d.end();
  }
}

async function friends(a, b) {
  step("friends");
  for (const [x, other] of [[a, juliet], [b, romeo]]) {
    x.client.acceptSubscription(other);
    x.client.subscribe(other);
  }
  for (const [x, other] of [[a, juliet], [b, romeo]]) await x.wait("presence", (p) => p.type === "subscribed" && p.from === other);
}

async function carbons(phone, desk, friend) {
  step("carbons");
  for (const d of [phone, desk]) await d.client.enableCarbons();
  phone.say(friend.client.jid, "copy of what is sent");
  await friend.said("copy of what is sent");
  const sent = await desk.wait("carbon:sent");
  assert.equal(sent.carbon.forward.message.body, "copy of what is sent");
  friend.say(phone.client.jid, "copy of what comes");
  await phone.said("copy of what comes");
  const came = await desk.wait("carbon:received");
  assert.equal(came.carbon.forward.message.body, "copy of what comes");
}

async function resume(phone, friend) {
  step("resume");
  const { jid } = phone.client;
  const { id } = phone.client.sm;
  phone.client.transport.socket.terminate();
  await phone.wait("disconnected");
  friend.say(jid, "while you were gone");
  phone.client.connect();
  await phone.wait("stream:management:resumed");
  await phone.said("while you were gone");
  assert.equal(phone.client.jid, jid);
  assert.equal(phone.client.sm.id, id);
  phone.say(friend.client.jid, "back again");
  await friend.said("back again");
  assert.ok(!phone.events.some(([n]) => n === "session:started"), "another session");
}

async function archive(phone, friend) {
  step("archive");
  for (let i = 0; i < 35; i++) phone.say(juliet, `line ${i}`);
  await friend.said("line 34");
  const got = [];
  let page;
  do {
    page = await friend.client.searchHistory({ with: romeo, paging: { max: 10, after: page?.paging?.last } });
    got.push(...page.results.map((r) => r.item.message.body));
  } while (!page.complete);
  assert.deepEqual(got.slice(-35), Array.from({ length: 35 }, (_, i) => `line ${i}`));
  assert.equal(got[0], "copy of what is sent");
  assert.equal(new Set(got).size, got.length);
  page = await friend.client.searchHistory({ with: romeo, paging: { max: 15, before: "" } });
  assert.deepEqual(page.results.map((r) => r.item.message.body), Array.from({ length: 15 }, (_, i) => `line ${20 + i}`));
}

async function avatar(phone, desk, friend) {
  step("avatar");
  await phone.client.publishAvatar(hash, picture);
  await phone.client.useAvatars([{ id: hash, mediaType: "image/png", bytes: picture.length }]);
  const news = await friend.wait("avatar", (a) => a.source === "pubsub" && a.jid === romeo);
  assert.equal(news.avatars[0].id, hash);
  const item = await friend.client.getAvatar(romeo, hash);
  assert.deepEqual(item.content.data, picture);
  await friend.wait("avatar", (a) => a.source === "vcard" && a.jid === desk.client.jid && a.avatars[0].id === hash);
  const card = await friend.client.getVCard(romeo);
  const photo = card.records.find((r) => r.type === "photo");
  assert.equal(photo.data, picture.toString("base64"));
  assert.equal(photo.mediaType, "image/png");
  // and the other way
  const other = Buffer.concat([picture, Buffer.from("more")]);
  const name = createHash("sha1").update(other).digest("hex");
  await desk.client.publishVCard({ format: "vcard-temp", records: [{ type: "photo", mediaType: "image/png", data: other.toString("base64") }] });
  await friend.wait("avatar", (a) => a.source === "pubsub" && a.avatars[0]?.id === name);
  assert.deepEqual((await friend.client.getAvatar(romeo, name)).content.data, other);
  await phone.client.useAvatars([]);
  await friend.wait("avatar", (a) => a.source === "pubsub" && a.avatars.length === 0);
}

async function bookmarks(phone, desk) {
  step("bookmarks");
  await phone.client.setBookmarks([{ jid: `play@conference.${domain}`, name: "The Play", nick: "R", autoJoin: true }]);
  const { items } = await desk.client.getItems(romeo, "urn:xmpp:bookmarks:1");
  assert.deepEqual(items.map((i) => i.id), [`play@conference.${domain}`]);
  await desk.client.addBookmark({ jid: `orchard@conference.${domain}`, name: "Orchard" });
  const got = await phone.client.getBookmarks();
  assert.deepEqual(got.map((b) => [b.jid, b.name]), [[`play@conference.${domain}`, "The Play"], [`orchard@conference.${domain}`, "Orchard"]]);
  await phone.client.removeBookmark(`play@conference.${domain}`);
  const left = await desk.client.getItems(romeo, "urn:xmpp:bookmarks:1");
  assert.deepEqual(left.items.map((i) => i.id), [`orchard@conference.${domain}`]);
}

async function blocking(phone, desk, friend) {
  step("blocking");
  for (const d of [phone, desk]) await d.client.getBlocked();
  await phone.client.block(juliet);
  await desk.wait("block");
  await friend.wait("presence", (p) => p.type === "unavailable" && p.from === phone.client.jid);
  friend.say(romeo, "do you hear me?");
  const refused = await friend.wait("message:error");
  assert.equal(refused.error.condition, "service-unavailable");
  assert.deepEqual((await desk.client.getBlocked()).jids, [juliet]);
  await desk.client.unblock(juliet);
  await phone.wait("unblock");
  await friend.wait("presence", (p) => p.type !== "unavailable" && p.from === phone.client.jid);
  friend.say(romeo, "and now?");
  await phone.said("and now?");
}

async function events(phone, desk, friend) {
  step("events");
  await phone.client.publishTune({ artist: "Prokofiev", title: "Dance of the Knights" });
  for (const d of [desk, friend]) {
    const got = await d.wait("tune", (e) => e.jid === romeo);
    assert.equal(got.tune.title, "Dance of the Knights");
  }
  const late = await new Device(`${juliet}/late`).login();
  await late.wait("tune", (e) => e.jid === romeo);
  late.end();
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
for (const d of [phone, desk, friend]) d.end();
step("all is well");
process.exit(0);
