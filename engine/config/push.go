package config

// Push is the section "push": what app servers hear when a message comes for a
// client that is away (XEP-0357).
type Push struct {
	Registrations int      `toml:"registrations" default:"10" min:"1" max:"1000" zero:"no limit" reload:"live" doc:"Registrations of one account: one for each of its clients that wants to be woken."`
	Interval      Duration `toml:"interval" default:"5s" min:"100ms" max:"1h" reload:"live" doc:"Time between two notifications for one registration, once there were burst of them. Messages that come meanwhile are told of in the next."`
	Burst         int      `toml:"burst" default:"5" min:"1" max:"1000" reload:"live" doc:"Notifications for one registration that need not wait for interval."`
	Sender        bool     `toml:"sender" default:"false" reload:"live" doc:"Notifications say who has sent the last message: those who run the app server learn who writes to whom."`
	Body          bool     `toml:"body" default:"false" reload:"live" doc:"Notifications have the beginning of the last message, unless it is encrypted."`
}
