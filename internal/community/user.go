package community

import "time"

// Role is what somebody who signs in here may do, and how wide they may write.
type Role string

const (
	Owner     Role = "owner"
	ITAdmin   Role = "it_admin"
	Moderator Role = "moderator"
	Member    Role = "member"
	Placement Role = "placement" // a student teacher, for a time
)

// UserState says whether somebody may sign in.
type UserState string

const (
	Pending  UserState = "pending" // asked for an account; not yet approved
	Active   UserState = "active"
	Disabled UserState = "disabled"
)

// User is what only accounts that sign in here have.
type User struct {
	AccountID           int64 `gorm:"primaryKey"`
	Email               string
	PasswordHash        string // argon2id, PHC string format
	Role                Role
	State               UserState
	Locale              string
	DefaultAudience     Audience
	RequestText         string
	EndsAt              *time.Time // placement: the last moment of the account
	InvitedBy           *int64
	ApprovedBy          *int64
	NotificationsReadID int64
	CreatedAt           time.Time
}
