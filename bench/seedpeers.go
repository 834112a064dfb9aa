package bench

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"meerkat/bench/load"
	"meerkat/engine/auth"
)

// seedProsody writes accounts and rosters as files of Prosody's internal
// storage (internal_hashed), below dir, its data_path.
func seedProsody(dir, domain, password string, layout load.Layout, step func(int)) error {
	credentials, err := auth.Derive(password, auth.DefaultIterations)
	if err != nil {
		return err
	}
	host := filepath.Join(dir, strings.NewReplacer(".", "%2e", "-", "%2d").Replace(domain))
	accounts, rosters := filepath.Join(host, "accounts"), filepath.Join(host, "roster")
	if err := errors.Join(os.MkdirAll(accounts, 0o755), os.MkdirAll(rosters, 0o755)); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	k := credentials.Keys[auth.SHA1]
	account := fmt.Sprintf("return {\n\t[\"iteration_count\"] = %d;\n\t[\"salt\"] = \"%s\";\n\t[\"stored_key\"] = \"%x\";\n\t[\"server_key\"] = \"%x\";\n};\n",
		k.Iterations, luaBytes(k.Salt), k.Stored, k.Server)
	for n := range layout.Users {
		var roster strings.Builder
		roster.WriteString("return {\n\t[false] = { [\"version\"] = 1; [\"pending\"] = {}; };\n")
		layout.Of(n, func(c int) {
			fmt.Fprintf(&roster, "\t[\"%s@%s\"] = { [\"subscription\"] = \"both\"; [\"name\"] = \"%[1]s\"; [\"groups\"] = { [\"Friends\"] = true; }; };\n", load.User(c), domain)
		})
		roster.WriteString("};\n")
		file := load.User(n) + ".dat"
		if err := errors.Join(os.WriteFile(filepath.Join(accounts, file), []byte(account), 0o644),
			os.WriteFile(filepath.Join(rosters, file), []byte(roster.String()), 0o644)); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		step(1)
	}
	return nil
}

// luaBytes writes b as the inside of a Lua string.
func luaBytes(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		fmt.Fprintf(&s, "\\%03d", c)
	}
	return s.String()
}

// seedPortable writes one file in the portable format of XEP-0227, which
// ejabberd and others import.
func seedPortable(path, domain, password string, layout load.Layout, step func(int)) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	w := bufio.NewWriter(f)
	fmt.Fprintf(w, "<?xml version='1.0' encoding='UTF-8'?>\n<server-data xmlns='urn:xmpp:pie:0'><host jid='%s'>\n", domain)
	for n := range layout.Users {
		fmt.Fprintf(w, "<user name='%s' password='%s'><query xmlns='jabber:iq:roster'>", load.User(n), password)
		layout.Of(n, func(c int) {
			fmt.Fprintf(w, "<item jid='%s@%s' name='%[1]s' subscription='both'><group>Friends</group></item>", load.User(c), domain)
		})
		fmt.Fprint(w, "</query></user>\n")
		step(1)
	}
	fmt.Fprint(w, "</host></server-data>\n")
	if err := errors.Join(w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("bench: %s: %w", path, err)
	}
	return nil
}
