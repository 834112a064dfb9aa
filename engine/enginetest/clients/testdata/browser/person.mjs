import { writeFileSync } from "node:fs";

// A person at the chat page, in a browser of its own.
export class Person {
  constructor(name, page, site, shots) {
    Object.assign(this, { name, page, site, shots, faults: [], stream: [] });
    this.jid = `${name}@${site.domain}`;
    page.setDefaultTimeout(30_000);
    page.on("websocket", (ws) => {
      ws.on("framesent", (f) => this.stream.push(`> ${f.payload}`));
      ws.on("framereceived", (f) => this.stream.push(`< ${f.payload}`));
    });
    page.on("pageerror", (err) => this.faults.push(`error in the page: ${err.message}`));
    page.on("console", (m) => {
      this.stream.push(`${m.type()}: ${m.text()}`);
      if (/Content Security Policy/.test(m.text())) this.faults.push(m.text());
    });
    page.on("request", (r) => {
      const u = new URL(r.url());
      if (/^(http|ws)/.test(u.protocol) && u.host !== site.host) this.faults.push(`asked ${r.url()}`);
    });
  }

  static async come(browser, name, site, shots) {
    const context = await browser.newContext({ viewport: { width: 1100, height: 720 } });
    return new Person(name, await context.newPage(), site, shots);
  }

  async login(password) {
    await this.page.goto(this.site.url);
    await this.page.fill("#converse-login-jid", this.name);
    await this.page.fill("#converse-login-password", password);
    await this.page.click("#converse-login button[type=submit]");
    await this.online();
  }

  online() { return this.see(".userinfo .change-status [data-value=online]"); }

  // returns waits until the page has connected anew, and resumed its session or
  // begun another: one that was reloaded before does not resume (XEP-0198).
  async returns() {
    const from = this.stream.length;
    const back = (line) => /^< <(resumed|enabled) /.test(line);
    for (const end = Date.now() + 60_000; !this.stream.slice(from).some(back); await this.page.waitForTimeout(50)) {
      if (Date.now() > end) throw new Error(`${this.name} does not come back`);
    }
    await this.online();
  }

  // receives waits until a stanza comes that fits. What the page tells of it may be
  // gone again before it is looked at.
  async receives(fits) {
    const from = this.stream.length;
    for (const end = Date.now() + 30_000; !this.stream.slice(from).some(fits); await this.page.waitForTimeout(50)) {
      if (Date.now() > end) throw new Error(`${this.name} does not get what fits ${fits}`);
    }
  }

  // see waits until something of this text, or that fits, is there.
  async see(selector, text) {
    const found = this.page.locator(selector).filter({ visible: true, hasText: text ?? "" }).first();
    await found.waitFor();
    return found;
  }

  async gone(selector, text) {
    const left = this.page.locator(selector).filter({ visible: true, hasText: text ?? "" });
    for (const end = Date.now() + 30_000; await left.count() > 0; await this.page.waitForTimeout(50)) {
      if (Date.now() > end) throw new Error(`${this.name} still sees ${selector} ${text ?? ""}`);
    }
  }

  keepStream() { writeFileSync(`${this.shots}/${this.name}.xml`, this.stream.join("\n")); }

  // closed waits until no dialogue is left: one that still fades keeps the next from opening.
  async closed() {
    await this.gone(".modal");
    await this.gone(".modal-backdrop");
  }

  async shot(what) { await this.page.screenshot({ path: `${this.shots}/${what}-${this.name}.png` }); }

  async menu(heading, item) {
    await this.page.locator(heading).locator("xpath=..").locator("button.dropdown-toggle").first().click();
    await this.page.locator(item).filter({ visible: true }).first().click();
  }

  // Contacts.

  async add(other) {
    await this.menu(".controlbox-heading--contacts", ".add-contact");
    await this.page.fill(".add-xmpp-contact input[name=jid]", other.jid);
    await this.page.fill(".add-xmpp-contact input[name=name]", other.name);
    await this.page.click(".add-xmpp-contact button[type=submit]");
    await this.closed();
  }

  async accept(other) {
    const row = await this.see("converse-roster li", other.jid);
    await row.locator("button.dropdown-toggle").click();
    await row.locator(".accept-xmpp-request").click();
    await this.page.fill("converse-accept-contact-request-modal input[name=name], .modal.show input[name=name]", other.name);
    await this.page.locator(".modal.show button[type=submit]").click();
    await this.closed();
  }

  contact(other, show) {
    return this.see("converse-roster .list-item-link", other.name).then(() =>
      show && this.see(`converse-roster .contact-name--${show}`, other.name));
  }

  // open opens the conversation with a contact. The list moves as messages come.
  async open(other) {
    for (let tries = 1; ; tries++) {
      await (await this.see("converse-roster .open-chat", other.name)).click();
      try {
        return await this.page.locator(`${this.in(other.jid)} textarea.chat-textarea`).waitFor({ timeout: 5000 });
      } catch (err) {
        if (tries === 5) throw err;
      }
    }
  }

  async status(show) {
    await this.page.click(".change-status");
    await this.page.check(`.modal.show input[name=chat_status][value=${show}]`);
    await this.page.locator(".modal.show [type=submit]").filter({ visible: true }).first().click();
    await this.see(`.userinfo .change-status [data-value=${show}]`);
    await this.page.click(".modal.show .modal-footer .btn-secondary");
    await this.closed();
  }

  // A conversation, with a person or in a room: what has this address.

  in(jid) { return `converse-chats [jid="${jid}"]`; }
  area(jid) { return this.see(`${this.in(jid)} textarea.chat-textarea`); }

  async say(jid, text) {
    const area = await this.area(jid);
    await area.fill(text);
    await area.press("Enter");
  }

  async type(jid, text) { await (await this.area(jid)).pressSequentially(text, { delay: 20 }); }
  hear(jid, text) { return this.see(`${this.in(jid)} .chat-msg__text`, text); }
  told(jid, text) { return this.see(`${this.in(jid)} .chat-info, ${this.in(jid)} .chat-content__notifications`, text); }

  async attach(jid, file) {
    await this.area(jid);
    await this.page.locator(`${this.in(jid)} input.fileupload`).setInputFiles(file);
  }

  // picture waits until a picture of this site is there, whole.
  async picture(jid) {
    const img = await this.see(`${this.in(jid)} .chat-msg img.chat-image`);
    await img.evaluate((i) => i.decode());
    const width = await img.evaluate((i) => i.naturalWidth);
    if (width !== 64) throw new Error(`${this.name} sees a picture ${width} wide`);
  }

  // Rooms.

  async enter(room, nick) {
    await this.menu(".controlbox-heading--groupchats", ".show-add-muc-modal");
    await this.page.fill(".modal.show input[name=chatroom]", room);
    await this.page.fill(".modal.show input[name=nickname]", nick ?? this.name);
    await this.page.locator(".modal.show input[type=submit]").click();
    await this.closed();
  }

  // confirm answers a question of the page.
  async confirm(values = {}) {
    for (const [name, value] of Object.entries(values)) await this.page.fill(`.modal.show input[name=${name}]`, value);
    await this.page.locator(".modal.show button[type=submit], .modal.show .btn-primary").filter({ visible: true }).first().click();
    await this.closed();
  }

  occupant(room, nick) { return this.see(`${this.in(room)} .occupant-list .occupant-nick`, nick); }

  async whisper(room, nick, text) {
    await (await this.occupant(room, nick)).click();
    const area = await this.see(`${this.in(room)} .sidebar-occupant textarea.chat-textarea`);
    await area.fill(text);
    await area.press("Enter");
    await this.whispered(room, text);
  }

  whispered(room, text) { return this.see(`${this.in(room)} .sidebar-occupant .chat-msg__text`, text); }

  // occupants goes from one of them back to all.
  occupants(room) { return this.page.click(`${this.in(room)} .sidebar-occupant .back-button`); }

  async headMenu(room, item) {
    await this.page.locator(`${this.in(room)} converse-muc-heading button.dropdown-toggle`).first().click();
    await this.page.locator(`${this.in(room)} ${item}`).filter({ visible: true }).first().click();
  }

  async configure(room, values) {
    await this.headMenu(room, ".configure-chatroom-button");
    for (const [name, value] of Object.entries(values)) {
      const field = await this.see(`.modal.show [name="${name}"]`);
      await (typeof value === "boolean" ? field.setChecked(value) : field.fill(value));
    }
    await this.page.locator(".modal.show [type=submit]").filter({ visible: true }).first().click();
    await this.closed();
  }

  async password(room, secret) {
    await (await this.see(`${this.in(room)} .chatroom-form input[type=password]`)).fill(secret);
    await this.page.locator(`${this.in(room)} .chatroom-form [type=submit]`).click();
  }

  async leave(room) {
    await this.headMenu(room, ".close-chatbox-button");
    await this.confirm();
    await this.gone(this.in(room));
  }

  // close leaves a room that one is not in any more.
  close(room) { return this.leave(room); }
}
