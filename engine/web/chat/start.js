// Starts converse.js, set up for the server that this page comes from.
const { base, settings } = document.body.dataset;
const server = JSON.parse(settings);
const here = (scheme, path) => location.origin.replace("http", scheme) + path;

// opens reports whether a WebSocket gets through: some proxies let none.
const opens = (url) => new Promise((resolve) => {
  const socket = new WebSocket(url, "xmpp");
  const end = (open) => { resolve(open); socket.close(); };
  socket.onopen = () => end(true);
  socket.onerror = () => end(false);
  setTimeout(end, 5000, false);
});

// It gets one of both, as it loses its way between them when a connection fails.
const socket = server.websocket && (!server.bosh || await opens(here("ws", "/ws")));
const ours = [server.uploads, location.hostname];

// Its place is taken, as it has the logos of converse.js's sponsors, from elsewhere.
customElements.define("converse-footer", class extends HTMLElement {});

// Faults of version 14.0.0. It means subscribeToPresence when it calls subscribe
// of a contact whose request is accepted, and so asks nothing back. It sends
// private messages in a room from its occupant's address, which servers refuse
// (RFC 6120 section 8.1.2.1). And it looks for itself in a room by an address that
// rooms need not tell, so that nobody but moderators may change the nickname.
window.converse.plugins.add("mended", {
  dependencies: ["converse-roster", "converse-muc"],
  initialize() {
    const { api, exports } = this._converse;
    const contact = exports.RosterContact.prototype;
    const listen = contact.subscribe;
    contact.subscribe = function (...event) {
      return event.length > 0 ? listen.apply(this, event) : this.subscribeToPresence();
    };
    const room = exports.MUC.prototype;
    for (const name of ["verifyRoles", "verifyAffiliations"]) {
      const verify = room[name];
      room[name] = function (wanted, occupant, ...rest) {
        return verify.call(this, wanted, occupant ?? this.getOwnOccupant(), ...rest);
      };
    }
    api.listen.on("createMessageStanza", (chat, data) => {
      data.stanza.tree().setAttribute("from", api.connection.get().jid);
      return data;
    });
  },
});

window.converse.initialize({
  assets_path: base,
  [server.only ? "locked_domain" : "default_domain"]: server.domain,
  websocket_url: socket ? here("ws", "/ws") : undefined,
  bosh_service_url: socket ? undefined : here("http", "/bosh"),
  discover_connection_methods: false,
  muc_domain: server.rooms || undefined,
  muc_search_service: server.rooms || undefined,
  muc_nickname_from_jid: true,
  muc_history_max_stanzas: 50, // of rooms without an archive
  // 303, a new nickname, it tells in words that are not finished; the list shows it.
  muc_show_info_messages: Object.values(window.converse.MUC.INFO_CODES).flat().filter((code) => code !== "303"),
  allow_registration: server.registers,
  registration_domain: server.domain,
  // Nobody else's server hears of who reads what here.
  allowed_image_domains: ours,
  allowed_audio_domains: ours,
  allowed_video_domains: ours,
  embed_3rd_party_media_players: false,
  autocomplete_providers_url: "",
  xmpp_providers_url: "",
  providers_link: "",
  blacklisted_plugins: ["converse-omemo", "converse-omemo-views"],
  whitelisted_plugins: ["mended"],
  view_mode: "fullscreen",
});
