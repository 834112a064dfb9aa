// Two people meet on the chat page of a server, each in a browser of their own:
// node talk.mjs URL DOMAIN PASSWORD KEYHASH DIR LAST [nosocket]. What it has seen
// work it says, line by line, up to the step LAST; then "good". DIR gets pictures.
// Once it says "kill the server" and wants a line when that is done and there is
// a new one. With nosocket no WebSocket is let through.
import { once } from "node:events";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { Person } from "./person.mjs";
import { rose } from "./rose.mjs";

const [url, domain, password, keyhash, dir, end, nosocket] = process.argv.slice(2);
const site = { url, domain, host: new URL(url).host };
const garden = `garden@conference.${domain}`;
const picture = { name: "rose.png", mimeType: "image/png", buffer: rose() };

const answers = createInterface({ input: process.stdin });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", `--ignore-certificate-errors-spki-list=${keyhash}`],
});
const romeo = await Person.come(browser, "romeo", site, dir);
const juliet = await Person.come(browser, "juliet", site, dir);

if (nosocket) {
  for (const p of [romeo, juliet]) {
    await p.page.addInitScript(() => {
      window.WebSocket = class extends WebSocket {
        constructor(url, protocols) { super(url.replace(/ws$/, "nothing"), protocols); }
      };
    });
  }
}

const both = (f) => Promise.all([f(romeo), f(juliet)]);

const steps = {
  async "log in"() {
    await both((p) => p.login(password));
    await both((p) => p.shot("1-online"));
  },

  async "add each other"() {
    await romeo.add(juliet);
    await juliet.accept(romeo);
    await romeo.contact(juliet, "online");
    await juliet.contact(romeo, "online");
    await both((p) => p.shot("2-contacts"));
  },

  async "chat both ways"() {
    await romeo.open(juliet);
    await romeo.say(juliet.jid, "Call me but love, <&> ü €");
    await juliet.open(romeo);
    await juliet.hear(romeo.jid, "Call me but love, <&> ü €");
    await juliet.say(romeo.jid, "How camest thou hither?");
    await romeo.hear(juliet.jid, "How camest thou hither?");
  },

  async "typing"() {
    await juliet.type(romeo.jid, "Tell me, and");
    await romeo.told(juliet.jid, "is typing");
    await romeo.shot("3-typing");
    await juliet.say(romeo.jid, "And wherefore?");
    await romeo.hear(juliet.jid, "And wherefore?");
    await romeo.gone(".chat-content__notifications", "is typing");
  },

  async "presence"() {
    await juliet.status("dnd");
    await romeo.contact(juliet, "dnd");
    await romeo.shot("4-busy");
    await juliet.status("online");
    await romeo.contact(juliet, "online");
  },

  async "a picture"() {
    await romeo.attach(juliet.jid, picture);
    await juliet.picture(romeo.jid);
    await romeo.picture(juliet.jid);
    await both((p) => p.shot("5-picture"));
  },

  async "reload"() {
    await juliet.page.reload();
    await juliet.online();
    await juliet.contact(romeo, "online");
    await juliet.open(romeo);
    await juliet.hear(romeo.jid, "Call me but love");
    await juliet.picture(romeo.jid);
    await juliet.say(romeo.jid, "I am back");
    await romeo.hear(juliet.jid, "I am back");
    await romeo.say(juliet.jid, "So am I");
    await juliet.hear(romeo.jid, "So am I");
    await both((p) => p.shot("6-back"));
  },

  async "the server is killed"() {
    const back = both((p) => p.returns());
    console.log("kill the server");
    await once(answers, "line");
    await back;
    await juliet.say(romeo.jid, "Wilt thou be gone?");
    await romeo.hear(juliet.jid, "Wilt thou be gone?");
    await romeo.say(juliet.jid, "I must be gone");
    await juliet.hear(romeo.jid, "I must be gone");
  },

  async "a room"() {
    await romeo.enter("garden");
    await romeo.area(garden);
    await romeo.say(garden, "But soft! what light?");
    await romeo.hear(garden, "But soft! what light?");
    await juliet.enter("garden");
    await juliet.area(garden);
    await juliet.hear(garden, "But soft! what light?"); // the room's history
    await juliet.say(garden, "Ay me!");
    await romeo.hear(garden, "Ay me!");
    await both((p) => p.occupant(garden, "romeo"));
    await both((p) => p.occupant(garden, "juliet"));
    await both((p) => p.shot("7-room"));
  },

  async "a subject"() {
    await romeo.say(garden, "/topic The balcony");
    await juliet.see(`${juliet.in(garden)} .chat-head__desc, ${juliet.in(garden)} converse-muc-heading`, "The balcony");
  },

  async "a private message"() {
    await romeo.whisper(garden, "juliet", "Sweet, good night!");
    await (await juliet.occupant(garden, "romeo")).click();
    await juliet.whispered(garden, "Sweet, good night!");
    await both((p) => p.shot("8-private"));
    await both((p) => p.occupants(garden));
  },

  async "another nickname"() {
    await juliet.say(garden, "/nick capulet");
    await romeo.occupant(garden, "capulet");
  },

  async "voice"() {
    await romeo.say(garden, "/mute capulet");
    await juliet.see(`${juliet.in(garden)} .occupant-list .badge`, "V");
    await romeo.say(garden, "/voice capulet");
    await juliet.gone(`${juliet.in(garden)} .occupant-list .badge`, "V");
  },

  async "kick"() {
    await romeo.say(garden, "/kick capulet Away!");
    await juliet.see(`${juliet.in(garden)} .disconnect-msg`, "You have been kicked");
    await juliet.see(`${juliet.in(garden)} .disconnect-msg`, "Away!");
    await juliet.shot("9-kicked");
    await juliet.close(garden);
  },

  async "ban"() {
    await juliet.enter("garden");
    await juliet.area(garden);
    await romeo.occupant(garden, "juliet");
    await romeo.say(garden, "/ban juliet");
    await juliet.see(`${juliet.in(garden)} .disconnect-msg`, "You have been banned");
    await juliet.close(garden);
    await juliet.enter("garden");
    await juliet.see(`${juliet.in(garden)} .disconnect-msg`, "You have been banned");
    await juliet.shot("10-banned");
    await juliet.close(garden);
    await romeo.say(garden, `/revoke ${juliet.jid}`);
  },

  async "members and a password"() {
    await romeo.configure(garden, { "muc#roomconfig_membersonly": true });
    await juliet.enter("garden");
    await juliet.see(`${juliet.in(garden)} .disconnect-msg`, "member");
    await juliet.shot("11-members");
    await juliet.close(garden);
    await romeo.say(garden, `/member ${juliet.jid}`);
    await romeo.configure(garden, { "muc#roomconfig_membersonly": false, "muc#roomconfig_passwordprotectedroom": true, "muc#roomconfig_roomsecret": "swordfish" });
    await juliet.enter("garden");
    await juliet.password(garden, "swordfish");
    await juliet.area(garden);
    await romeo.occupant(garden, /^\s*juliet\s*$/);
    await both((p) => p.shot("12-inside"));
  },

  async "leave"() {
    const gone = romeo.receives((line) => line.startsWith("< <presence") && line.includes(`${garden}/juliet`) && /type=['"]unavailable/.test(line));
    await juliet.leave(garden);
    await gone;
  },

  async "destroy"() {
    await juliet.enter("garden");
    await juliet.password(garden, "swordfish");
    await juliet.area(garden);
    await romeo.say(garden, "/destroy");
    await romeo.confirm({ challenge: garden, reason: "It is the east" });
    await romeo.gone(romeo.in(garden));
    await juliet.close(garden);
    await juliet.enter("garden"); // it is another one, and hers
    await juliet.area(garden);
    await juliet.see(`${juliet.in(garden)} .occupant-list .badge`, "O");
    await juliet.gone(`${juliet.in(garden)} .chat-msg__text`, "Ay me!");
    await juliet.shot("13-anew");
  },
};

for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    for (const p of [romeo, juliet]) if (p.faults.length > 0) throw new Error(`${p.name}'s page: ${p.faults.join("\n")}`);
  } catch (err) {
    await both((p) => { p.keepStream(); return p.shot("failed"); }).catch(() => {});
    console.log(`${name}: ${err.stack}`);
    process.exit(1);
  }
  console.log(name);
  if (name === end) break;
}
await both((p) => p.keepStream());
await browser.close();
console.log("good");
answers.close();
