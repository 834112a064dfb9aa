// A client on @xmpp/client, told what to do by lines of JSON on standard input.
//
// Every line of output is one event. Package clients has the vocabulary.
import { createInterface } from "node:readline";

import { client as make, xml } from "@xmpp/client";

const say = (event, fields) => console.log(JSON.stringify({ event, ...fields }));

let xmpp;

async function login(cmd) {
  const [username, rest] = cmd.jid.split("@");
  const [domain, resource] = rest.split("/");
  xmpp = make({
    service: `${cmd.direct ? "xmpps" : "xmpp"}://${domain}:${cmd.port}`,
    domain,
    resource,
    username,
    password: cmd.password,
  });
  xmpp.timeout = 20_000;
  xmpp.reconnect.stop();
  let mechanism = "";
  xmpp.on("send", (el) => {
    if (el.name === "auth" || el.name === "authenticate") mechanism = el.attrs.mechanism;
  });
  xmpp.on("error", () => {}); // start() throws it as well
  xmpp.on("stanza", came);
  try {
    const jid = await xmpp.start();
    say("online", { jid: jid.toString(), mechanism, tls: xmpp.socket.socket.getProtocol() });
  } catch (err) {
    say("refused", { condition: err.condition ?? String(err) });
    await xmpp.stop().catch(() => {});
  }
}

function came(el) {
  const from = el.attrs.from;
  if (el.name === "message") {
    const condition = el.getChild("error")?.children.find((c) => c.name !== "text")?.name ?? "";
    say("message", {
      from,
      type: el.attrs.type ?? "normal",
      body: el.getChildText("body") ?? "",
      stamp: Boolean(el.getChild("delay", "urn:xmpp:delay")),
      condition,
    });
  } else if (el.name === "presence") {
    say("presence", {
      from,
      type: el.attrs.type ?? "",
      show: el.getChildText("show") ?? "",
      status: el.getChildText("status") ?? "",
    });
  }
}

const ROSTER = "jabber:iq:roster";
const REGISTER = "jabber:iq:register";

const DISCO = "http://jabber.org/protocol/disco";
const UPLOAD = "urn:xmpp:http:upload:0";

// The domain that takes files, as XEP-0363 §3 says to find it.
async function uploadService() {
  const items = await xmpp.iqCaller.get(xml("query", `${DISCO}#items`), xmpp.jid.domain);
  for (const { attrs } of items.getChildren("item")) {
    const info = await xmpp.iqCaller.get(xml("query", `${DISCO}#info`), attrs.jid);
    if (info.getChildren("feature").some((f) => f.attrs.var === UPLOAD)) return attrs.jid;
  }
  throw new Error("no upload service");
}

// The same bytes in every client.
const contents = (n) => Uint8Array.from({ length: n }, (_, i) => (i * 7 + Math.floor(i / 251)) % 256);

const commands = {
  login,

  // Finds the service, and puts a file of n bytes there.
  async upload({ name, n }) {
    const body = contents(n);
    const wish = xml("request", { xmlns: UPLOAD, filename: name, size: n, "content-type": "image/png" });
    const answer = await xmpp.iqCaller.request(xml("iq", { type: "get", to: await uploadService() }, wish));
    const slot = answer.getChild("slot", UPLOAD);
    const put = await fetch(slot.getChild("put").attrs.url, {
      method: "PUT",
      body,
      headers: { "Content-Type": "image/png" },
    });
    if (put.status !== 201) throw new Error(`PUT: ${put.status} ${await put.text()}`);
    say("uploaded", { url: slot.getChild("get").attrs.url });
  },

  async fetch({ url }) {
    const answer = await fetch(url);
    const got = new Uint8Array(await answer.arrayBuffer());
    const same = Buffer.compare(got, contents(got.length)) === 0;
    say("fetched", { status: String(answer.status), type: answer.headers.get("Content-Type"), same, n: got.length });
  },

  presence({ to, type, show, status }) {
    const attrs = {};
    if (to) attrs.to = to;
    if (type) attrs.type = type;
    return xmpp.send(xml("presence", attrs, show && xml("show", {}, show), status && xml("status", {}, status)));
  },

  async send({ to, n, body }) {
    for (let i = 0; i < n; i++) {
      await xmpp.send(xml("message", { to, type: "chat" }, xml("body", {}, `${body} ${i}`)));
    }
  },

  async ping({ to }) {
    await xmpp.iqCaller.request(xml("iq", { type: "get", to }, xml("ping", "urn:xmpp:ping")));
    say("pong");
  },

  async roster() {
    const query = await xmpp.iqCaller.get(xml("query", ROSTER));
    const items = {};
    for (const { attrs } of query.getChildren("item")) {
      items[attrs.jid] = { name: attrs.name ?? "", subscription: attrs.subscription };
    }
    say("roster", { items });
  },

  async "roster-set"({ to, name }) {
    await xmpp.iqCaller.set(xml("query", ROSTER, xml("item", { jid: to, name }, xml("group", {}, "Friends"))));
    say("done");
  },

  async "roster-remove"({ to }) {
    await xmpp.iqCaller.set(xml("query", ROSTER, xml("item", { jid: to, subscription: "remove" })));
    say("done");
  },

  async disco({ to }) {
    const query = await xmpp.iqCaller.get(xml("query", "http://jabber.org/protocol/disco#info"), to);
    say("info", {
      features: query.getChildren("feature").map((f) => f.attrs.var).sort(),
      identities: query.getChildren("identity").map((i) => `${i.attrs.category}/${i.attrs.type}`),
    });
  },

  async version({ to }) {
    const query = await xmpp.iqCaller.get(xml("query", "jabber:iq:version"), to);
    say("version", { name: query.getChildText("name") });
  },

  // Changes the own password, or with none removes the account.
  async change({ password }) {
    const username = xmpp.jid.local;
    const children = password
      ? [xml("username", {}, username), xml("password", {}, password)]
      : [xml("remove")];
    await xmpp.iqCaller.set(xml("query", REGISTER, ...children));
    say("done");
  },

  async logout() {
    await xmpp.stop();
    say("offline");
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const cmd = JSON.parse(line);
  try {
    await commands[cmd.do](cmd);
  } catch (err) {
    say("error", { condition: err.condition ?? String(err) });
  }
}
process.exit(0);
