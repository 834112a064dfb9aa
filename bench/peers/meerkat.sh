# Meerkat is seeded, started and stopped by the bench itself.
NAME=Meerkat CLEAR='' DIRECT='' PID=''
install() { :; }
seed() { :; }
start() { :; }
stop() { :; }
