package main

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"
)

// newPassword gets a password for an account: from standard input, from a
// prompt, or made up. shown says that it was made up and must be printed.
func newPassword(t terminal, fromInput bool, bare string) (password string, shown bool, err error) {
	switch {
	case fromInput:
		password, err = readLine(t.in)
	case term.IsTerminal(int(t.in.Fd())):
		password, err = ask(t, bare)
	}
	if err != nil {
		return "", false, err
	}
	if password == "" && !fromInput {
		return randomPassword(), true, nil
	}
	return password, false, checkPassword(password)
}

// randomPassword has 100 bits, in letters that can be read out and typed.
func randomPassword() string {
	text := strings.ToLower(rand.Text()[:20])
	return strings.Join([]string{text[:5], text[5:10], text[10:15], text[15:]}, "-")
}

// readLine reads one line, of which a final newline is no part.
func readLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 64<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// ask prompts twice without an echo. Nothing typed means: make one up.
func ask(t terminal, bare string) (string, error) {
	first, err := prompt(t, fmt.Sprintf("Password for %s (empty: make one up): ", bare))
	if err != nil || first == "" {
		return "", err
	}
	second, err := prompt(t, "Again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ; nothing was changed")
	}
	return first, nil
}

func prompt(t terminal, text string) (string, error) {
	fmt.Fprint(t.err, text)
	b, err := term.ReadPassword(int(t.in.Fd()))
	fmt.Fprintln(t.err)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return string(b), nil
}
