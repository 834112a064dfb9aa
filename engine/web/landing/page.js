// Shows the invitation that stands behind the # of the address:
// romeo@example.org?roster;preauth=…;ibr=y, or example.org?register;preauth=…
"use strict";

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function show() {
  const found = /^#([^?#]+)\?(roster|register);(.*)$/.exec(location.hash);
  const how = document.getElementById("how");
  how.hidden = !found;
  if (!found) return;
  const [, address, action, rest] = found;
  const name = decoded(address);
  const options = rest.split(";");
  const link = "xmpp:" + location.hash.slice(1);
  let who = name + " invites you to chat";
  let what = "Open the invitation with your chat app, and you are contacts of each other.";
  if (options.includes("ibr=y")) {
    what += " If you have no account yet, the app can make one at " + name.slice(name.indexOf("@") + 1) + ".";
  }
  if (action === "register") {
    who = name.includes("@") ? "Your account " + name + " is waiting" : "You are invited to " + name;
    what = "Open the invitation with a chat app: it makes the account, and you choose the password.";
  }
  document.title = who;
  document.getElementById("who").textContent = who;
  document.getElementById("what").textContent = what;
  document.getElementById("open").href = link;
  document.getElementById("link").textContent = link;
}

addEventListener("hashchange", show);
show();
