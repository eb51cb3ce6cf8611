package web

// accountFlash says how the flashes of the pages about people, accounts and
// administration are shown; "" is no flash of theirs.
func accountFlash(key string) string {
	switch key {
	case "flash.signed_out", "flash.set_up", "flash.profile_saved", "flash.settings_saved", "flash.password_changed",
		"flash.session_ended", "flash.sessions_ended", "flash.app_ended", "flash.following", "flash.unfollowed", "flash.muted", "flash.unmuted",
		"flash.blocked", "flash.unblocked", "flash.follower_removed", "flash.follow_accepted", "flash.follow_rejected",
		"flash.peer_allowed", "flash.peer_changed", "flash.peer_blocked", "flash.peer_removed", "flash.mode_allowlist", "flash.role_changed", "flash.person_disabled",
		"flash.person_enabled", "flash.password_set", "flash.suspended", "flash.unsuspended", "flash.invite_revoked",
		"flash.approved", "flash.declined", "flash.site_saved", "flash.woken":
		return "done"
	case "flash.follow_requested":
		return "note"
	case "flash.mode_open":
		return "problem"
	}
	return ""
}
