// Two people chat over WebSocket or BOSH, on a library of choice:
// node chat.mjs LIBRARY URL DOMAIN PASSWORD COUNT. It ends with "good" or an error.
import { client, xml } from "@xmpp/client";
import * as Strophe from "strophe.js";
import * as stanza from "stanza";
import { DOMParser } from "@xmldom/xmldom";
import xhr from "xmlhttprequest-ssl";

// Strophe's BOSH wants what a browser has.
globalThis.XMLHttpRequest = function () {
  const x = new xhr.XMLHttpRequest();
  const parse = () => x.responseText ? new DOMParser().parseFromString(x.responseText, "text/xml") : null;
  delete x.responseXML;
  Object.defineProperty(x, "responseXML", { get: parse });
  return x;
};

const [library, url, domain, password, count] = process.argv.slice(2);

const libraries = {
  // @xmpp/client knows WebSocket only.
  async xmppjs(name, came) {
    const c = client({ service: url, domain, resource: "web", username: name, password });
    c.reconnect.stop();
    c.on("error", (err) => fail(`${name}: ${err}`));
    c.on("stanza", (el) => {
      if (el.is("message") && el.getChild("body")) came(el.getChildText("body"));
    });
    await c.start();
    await c.send(xml("presence"));
    await c.iqCaller.request(xml("iq", { type: "get", to: domain }, xml("ping", "urn:xmpp:ping")));
    return {
      send: (to, body) => c.send(xml("message", { to, type: "chat" }, xml("body", {}, body))),
      end: () => c.stop(),
    };
  },

  // resume is @xmpp/client whose WebSocket breaks amid the talk: it connects anew
  // and resumes its session (XEP-0198 section 5).
  async resume(name, came) {
    const c = client({ service: url, domain, resource: "web", username: name, password });
    c.reconnect.delay = 100;
    let broken = false;
    c.on("error", (err) => broken || fail(`${name}: ${err}`));
    c.on("online", () => broken && fail(`${name} has a new session in place of its old one`));
    c.on("stanza", (el) => {
      if (el.is("message") && el.getChild("body")) came(el.getChildText("body"));
    });
    await c.start();
    while (!c.streamManagement.enabled) await new Promise((r) => setTimeout(r, 5)); // it counts what comes with that wrongly
    await c.send(xml("presence"));
    await c.iqCaller.request(xml("iq", { type: "get", to: domain }, xml("ping", "urn:xmpp:ping")));
    return {
      send: (to, body) => c.send(xml("message", { to, type: "chat" }, xml("body", {}, body))),
      break: () => new Promise((resumed) => {
        broken = true;
        c.streamManagement.once("resumed", resumed);
        c.socket.socket.terminate();
      }),
      end: () => c.stop(),
    };
  },

  strophe(name, came) {
    const { Strophe: S, $msg, $pres } = Strophe;
    let c = new S.Connection(url), attached = false;
    const jid = `${name}@${domain}/web`;
    return new Promise((resolve) => {
      const changed = (status, condition) => {
        if (status === S.Status.CONNECTED || status === S.Status.ATTACHED) {
          if (library === "attach" && !attached) {
            attached = true;
            const { sid, rid } = c._proto;
            c.reset(); // a page goes, and another takes its session over (XEP-0206 §5)
            c = new S.Connection(url);
            c.attach(jid, sid, rid, changed);
            return;
          }
          c.addHandler((m) => {
            const body = m.getElementsByTagName("body")[0];
            if (body) came(body.textContent);
            return true;
          }, null, "message");
          c.send($pres());
          resolve({
            send: (to, body) => c.send($msg({ to, type: "chat" }).c("body").t(body)),
            end: () => new Promise((ended) => { c.disconnected = ended; c.disconnect(); c.flush(); setTimeout(ended, 300); }),
          });
        } else if ([S.Status.CONNFAIL, S.Status.AUTHFAIL, S.Status.ERROR].includes(status)) {
          fail(`${name}: status ${status} ${condition}`);
        }
      };
      c.connect(jid, password, changed);
    });
  },

  stanza(name, came) {
    const websocket = url.startsWith("ws") ? url : false;
    const c = stanza.createClient({
      jid: `${name}@${domain}`, resource: "web", password,
      transports: { websocket, bosh: websocket ? false : url }, autoReconnect: false,
    });
    c.on("message", (m) => m.body && came(m.body));
    c.on("stream:error", (err) => fail(`${name}: ${JSON.stringify(err)}`));
    c.on("auth:failed", () => fail(`${name}: login failed`));
    return new Promise((resolve) => {
      c.on("session:started", async () => {
        c.sendPresence();
        await c.ping(domain);
        resolve({
          send: (to, body) => c.sendMessage({ to, body, type: "chat" }),
          end: () => new Promise((ended) => { c.disconnect(); setTimeout(ended, 300); }),
        });
      });
      c.on("disconnected", (err) => err && fail(`${name}: disconnected ${err}`));
      c.connect();
    });
  },
};

libraries.attach = libraries.strophe;

function fail(why) {
  console.log(why);
  process.exit(1);
}

setTimeout(() => fail(`after 20 s romeo has ${hears.romeo.count()} messages, juliet ${hears.juliet.count()}`), 20_000);

const run = `run ${Date.now()}`;
const text = (i) => `<${i}> & ü €\n ${run}`;

// inOrder resolves when all messages have come, each in its place.
function inOrder(who) {
  let next = 0, done;
  const all = new Promise((resolve) => { done = resolve; });
  const came = (body) => {
    if (!body.endsWith(run)) return; // of another run
    if (body !== text(next)) fail(`${who} got ${JSON.stringify(body)} in place of message ${next}`);
    if (++next === Number(count)) done();
  };
  const have = async (n) => { while (next < n) await new Promise((r) => setTimeout(r, 2)); };
  return { all, came, have, count: () => next };
}

const hears = { romeo: inOrder("romeo"), juliet: inOrder("juliet") };
const romeo = await libraries[library]("romeo", hears.romeo.came);
const juliet = await libraries[library]("juliet", hears.juliet.came);
for (let i = 0; i < count; i++) {
  const resumed = i % 20 === 10 && romeo.break?.();
  await juliet.send(`romeo@${domain}`, text(i));
  await resumed;
  await romeo.send(`juliet@${domain}`, text(i));
  if (library === "stanza" && url.startsWith("http")) { // it takes BOSH answers in whatever order they come
    await Promise.all([hears.romeo.have(i + 1), hears.juliet.have(i + 1)]);
  }
}
await Promise.all([hears.romeo.all, hears.juliet.all]);
process.on("uncaughtException", () => {}); // stanza writes to what it has ended
await Promise.all([romeo.end(), juliet.end()]);
console.log("good");
process.exit(0);
