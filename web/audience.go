package web

// Reach is what the words for an audience need to know.
type Reach struct {
	School    string // this instance's name
	Connected int    // schools whose people the audience "network" reaches
	Named     int    // people named, for "people"; 0 says only "the people named"
	Mine      bool   // the reader is the author: "My followers"
	Followers int    // with Mine: how many there are
	Group     string // the group's name
}

// AudienceOf says an audience in words: the chip's, and who is inside. value is
// one of community's seven audiences.
func AudienceOf(l *Locale, value string, r Reach) AudienceView {
	v := AudienceView{Value: value}
	switch value {
	case "me":
		v.Icon, v.Words, v.Detail = "lock", l.T("audience.me"), l.T("audience.me_detail")
	case "people":
		v.Icon, v.Words, v.Detail = "at-sign", l.T("audience.people"), l.T("audience.people_detail")
		if r.Named > 0 {
			v.Words = l.T("audience.people_counted", "Count", r.Named)
		}
	case "group":
		v.Icon, v.Words, v.Detail = "users", r.Group, l.T("audience.group_detail")
		if r.Group == "" {
			v.Words = l.T("audience.group")
		}
	case "school":
		v.Icon, v.Words, v.Detail = "school", r.School, l.T("audience.school_detail", "School", r.School)
	case "followers":
		v.Icon, v.Words, v.Detail = "user-round-check", l.T("audience.followers"), l.T("audience.followers_detail")
		if r.Mine {
			v.Words, v.Detail = l.T("audience.followers_mine"), l.T("audience.followers_counted", "Count", r.Followers)
		}
	case "network":
		v.Icon, v.Words = "waypoints", l.T("audience.network")
		v.Detail = l.T("audience.network_detail", "Count", r.Connected, "School", r.School)
		if r.Connected == 0 {
			v.Detail = l.T("audience.network_none", "School", r.School)
		}
	default:
		v.Icon, v.Words, v.Detail = "globe", l.T("audience.public"), l.T("audience.public_detail")
	}
	return v
}
