# ejabberd from Debian: Mnesia, the modules of plain instant messaging, no
# shapers. Its node has a name of its own beside an installed one.
NAME=ejabberd CLEAR=127.0.0.1:45322 DIRECT=127.0.0.1:45323 PID=''
node=meerkatbench@localhost

install() { package ejabberd; }

# ctl is not run by su, as the package does, because PAM would take away the open
# files that the sessions need.
ctl() {
	HOME=$work/ejabberd setpriv --reuid=ejabberd --regid=ejabberd --init-groups \
		ejabberdctl --node $node --config-dir "$work/ejabberd" --spool "$work/ejabberd/spool" --logs "$work/ejabberd" "$@"
}

seed() {
	mkdir -p "$work/ejabberd/spool"
	cat >"$work/ejabberd/ejabberdctl.cfg" <<-END
		EJABBERD_PID_PATH=$work/ejabberd/pid
		ERL_MAX_PORTS=1000000
		ERL_PROCESSES=2000000
		INET_DIST_INTERFACE=127.0.0.1
	END
	cp /etc/ejabberd/inetrc "$work/ejabberd/" 2>/dev/null || true
	cat >"$work/ejabberd/ejabberd.yml" <<-END
		hosts: [localhost]
		loglevel: error
		certfiles: ["$work/both.pem"]
		auth_method: internal
		auth_password_format: scram
		auth_scram_hash: sha
		listen:
		  - {port: 45322, ip: "127.0.0.1", module: ejabberd_c2s, starttls: true, backlog: 4096, shaper: none, access: all}
		  - {port: 45323, ip: "127.0.0.1", module: ejabberd_c2s, tls: true, backlog: 4096, shaper: none, access: all}
		modules:
		  mod_roster: {}
		  mod_disco: {}
		  mod_ping: {}
		  mod_offline: {}
		  mod_muc: {host: "conference.localhost", max_users: 20000, default_room_options: {max_users: 20000}}
	END
	"$meerkat" bench seed -for portable -data "$work/ejabberd/users.xml" -users "$users" -roster 100
	chown -R ejabberd "$work/ejabberd"
	start
	ctl --no-timeout import_piefxis "$work/ejabberd/users.xml"
	stop
	rm "$work/ejabberd/users.xml"
}

start() {
	ctl start
	ctl started
	PID=$(cat "$work/ejabberd/pid")
}

stop() {
	[ -z "$PID" ] || { ctl stop && ctl stopped || true; }
	PID=''
}
