# Prosody from Debian: internal storage, epoll, the modules of plain instant
# messaging, no limits.
NAME=Prosody CLEAR=127.0.0.1:45222 DIRECT=127.0.0.1:45223 PID=''

install() { package prosody; }

seed() {
	"$meerkat" bench seed -for prosody -data "$work/prosody" -users "$users" -roster 100
	chown -R prosody "$work/prosody"
	cat >"$work/prosody.cfg.lua" <<-END
		data_path = "$work/prosody"
		modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "offline" }
		modules_disabled = { "s2s", "limits" }
		authentication = "internal_hashed"
		c2s_require_encryption = false
		interfaces = { "127.0.0.1" }
		c2s_ports = { 45222 }
		c2s_direct_tls_ports = { 45223 }
		network_backend = "epoll"
		network_settings = { max_connections = 1000000, tcp_backlog = 4096 }
		ssl = { certificate = "$work/cert.pem", key = "$work/key.pem" }
		log = { warn = "$work/prosody/log" }
		VirtualHost "localhost"
		Component "conference.localhost" "muc"
	END
}

start() {
	setpriv --reuid=prosody --regid=prosody --init-groups prosody -F --config "$work/prosody.cfg.lua" &
	PID=$!
	until (: </dev/tcp/127.0.0.1/45222) 2>/dev/null; do sleep 0.2; kill -0 $PID; done
}

stop() {
	[ -z "$PID" ] || { kill "$PID" && wait "$PID" || true; }
	PID=''
}
