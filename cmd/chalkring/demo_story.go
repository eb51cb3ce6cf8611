package main

import "github.com/chalkring/chalkring/internal/community"

// school is one instance of the demonstration's ring.
type school struct {
	key, name, kind, about string
	alone                  bool // connected with nobody yet
	people                 []person
}

// person is one of the demonstration's teachers. None of them exists.
type person struct {
	username, name, bio string
	role                community.Role
	follows             []string // handles without the leading @, as kauri/maia
}

// act is one thing that somebody does in the story. Posts carry a key, by
// which later acts refer to them.
type act struct {
	who   string // kauri/maia
	key   string // of the post that this act writes
	on    string // key of the post that it answers, likes, boosts, edits
	verb  verb
	draft community.Draft
}

type verb int

const (
	writes verb = iota
	answers
	used // "I used this"
	likes
	boosts
	edits
	accepts // the reply with the key in draft.Title is the answer to the question "on"
)

// String says what is done, for the progress.
func (v verb) String() string {
	return [...]string{"writes", "answers", "used what another wrote", "likes a post", "passes a post on", "adds to what they wrote", "chooses an answer"}[v]
}

func demoRing() []school {
	return []school{
		{key: "kauri", name: "Kauri Flat School", kind: "school", about: "A primary school of two hundred and ten children on the river flats, Years 1 to 8. We write here about what we try, also when it did not work.", people: []person{
			{"hemi", "Hēmi Waaka", "Deputy principal, Years 7 and 8. Looks after this server on Thursday afternoons.", community.Owner, []string{"ring/aroha", "harbour/dan", "kauri/maia", "kauri/tomasi", "kauri/ruth"}},
			{"maia", "Māia Rangitoto", "Year 3. Reading aloud, listening, and too many picture books.", community.Member, []string{"harbour/leilani", "ring/stellan", "ring/aroha", "kauri/tomasi", "kauri/ruth"}},
			{"tomasi", "Tomasi Faleola", "Years 5 and 6. Maths with things you can hold. Rugby on Saturdays.", community.Member, []string{"harbour/owen", "ring/aroha", "kauri/maia"}},
			{"ruth", "Ruth Ellery", "Learning support, mornings. I ask more than I answer.", community.Member, []string{"ring/stellan", "harbour/grace", "kauri/maia"}},
		}},
		{key: "harbour", name: "Harbour View College", kind: "school", about: "A secondary school above the harbour, Years 9 to 13. Departments talk to each other here, and to the schools our students come from.", people: []person{
			{"dan", "Dan Marwick", "History, and the one they call when the projector is warm but dark.", community.Owner, []string{"kauri/hemi", "ring/aroha", "harbour/priya", "harbour/owen", "harbour/leilani"}},
			{"priya", "Priya Nandan", "Junior science and senior chemistry. Fair tests, unfair weather.", community.Member, []string{"kauri/tomasi", "ring/aroha", "harbour/owen"}},
			{"owen", "Owen Tasker", "Mathematics and statistics. I collect wrong answers that make sense.", community.Member, []string{"kauri/tomasi", "harbour/priya"}},
			{"leilani", "Leilani Sefo", "English, Years 9 and 12. Drafts over final copies.", community.Member, []string{"kauri/maia", "ring/stellan"}},
			{"grace", "Grace Bellamy", "Digital technologies. Before you buy it, let me break it.", community.Moderator, []string{"kauri/ruth", "ring/jo", "harbour/priya"}},
		}},
		{key: "ring", name: "Eastern Bays Learning Ring", kind: "region", about: "Nineteen schools between the river and the harbour. We connect what happens in one room with the next.", people: []person{
			{"aroha", "Aroha Penfold", "I visit classrooms, carry ideas between them, and bring biscuits.", community.Owner, []string{"kauri/maia", "kauri/tomasi", "harbour/priya", "harbour/owen", "harbour/leilani"}},
			{"stellan", "Stellan Bray", "Literacy across the ring. Thirty years of running records and still surprised.", community.Member, []string{"kauri/maia", "kauri/ruth", "harbour/leilani"}},
			{"jo", "Jo Whitlock", "I look after student teachers on placement in our nineteen schools.", community.Member, []string{"kauri/maia", "harbour/grace", "ring/aroha"}},
		}},
		{key: "manuka", name: "Mānuka Street School", kind: "school", about: "A school of four rooms at the end of the bus line. Everybody teaches two year levels, and the principal drives the bus.", people: []person{
			{"wiremu", "Wiremu Paki", "Principal, Years 5 to 8, bus.", community.Owner, []string{"ring/aroha", "kauri/hemi", "kauri/tomasi"}},
			{"fern", "Fern Adair", "Years 1 to 4, all of them at once.", community.Member, []string{"kauri/maia", "ring/stellan", "manuka/wiremu"}},
		}},
		{key: "tui", name: "Tūī Ridge Intermediate", kind: "school", about: "Two years between childhood and the rest. We are new in the ring and read more than we write.", people: []person{
			{"noor", "Noor Haddad", "Deputy principal. Timetables, and Year 7 science.", community.Owner, []string{"ring/aroha", "harbour/priya", "kauri/tomasi"}},
			{"callum", "Callum Reid", "Year 8. Everything about maps.", community.Member, []string{"harbour/owen", "tui/noor"}},
		}},
		{key: "rata", name: "Rātā Bay School", kind: "school", alone: true, about: "A school by the sea that has just set up its server and knows nobody yet.", people: []person{
			{"ines", "Inês Duarte", "Principal. I was told that this takes ten minutes.", community.Owner, nil},
		}},
	}
}

const ccBySA = "https://creativecommons.org/licenses/by-sa/4.0/"

func practice(title, subject, level string, audience community.Audience, s community.Sections) community.Draft {
	return community.Draft{Kind: community.Practice, Audience: audience, Title: title, Subject: subject, Level: level,
		Licence: ccBySA, Language: "en-NZ", Sections: &s}
}

func titled(kind community.Kind, title string, audience community.Audience, text string) community.Draft {
	return community.Draft{Kind: kind, Audience: audience, Title: title, Language: "en-NZ", Source: text}
}

func says(text string) community.Draft {
	return community.Draft{Kind: community.Reply, Language: "en-NZ", Source: text}
}

// demoStory is a fortnight in three staff rooms.
func demoStory() []act {
	return []act{
		{who: "kauri/maia", key: "listening", draft: practice("They listened to themselves read", "English", "Year 3", community.Public, community.Sections{
			Tried:    "Each child recorded one page on the class tablet and listened back **alone**, with a card of four pictures: *stop, sense, smooth, sound*. Then they chose one thing to try on the same page.\n\nWe did it at the end of guided reading, one group a day, about eight minutes.",
			Happened: "The first day was giggling. By Thursday two groups asked to go again. The card did more than I expected: they stopped asking me whether it was good and pointed at a picture instead.",
			Evidence: "I kept the first and the last recording of six readers. Five of them fixed at least one thing that I had been telling them about for weeks. Running records before and after are in my planning folder; the change in *self-corrections* is the one I believe.",
			Unsure:   "Is it the listening, or is it simply reading the page three times?",
			Next:     "Next week half the groups reread without a recording, and I will see.",
		})},
		{who: "ring/stellan", key: "listening-1", on: "listening", verb: answers, draft: says("That last question is the honest one. Rereading alone does a lot for fluency. If you compare, keep the *choosing* in both halves: in my notes from other rooms it was choosing one thing that made the difference, more than hearing it.")},
		{who: "kauri/maia", key: "listening-2", on: "listening-1", verb: answers, draft: says("I had not thought of separating those. So: record and choose, or reread and choose. I will try it from Monday and write down what happens, whichever way it goes.")},
		{who: "harbour/leilani", key: "listening-used", on: "listening", verb: used, draft: community.Draft{Kind: community.Acknowledgement, Language: "en-NZ", Source: "I used this with Year 9, with their own essays instead of a page from a book. They heard the sentences that had no end. I kept your four pictures and only changed *sound* to *so what?*"}},
		{who: "harbour/priya", on: "listening", verb: likes},
		{who: "ring/aroha", on: "listening", verb: boosts},

		{who: "kauri/tomasi", key: "fractions", draft: practice("Fractions on the netball court", "Mathematics", "Years 5–6", community.Public, community.Sections{
			Tried:    "Chalk number lines, zero to two, as long as the court. Pairs got cards (3/4, 5/8, 1 1/2, 6/4 …) and had to stand where theirs belongs, then defend the place to the pair next to them.",
			Happened: "The argument between 5/8 and 2/3 lasted eleven minutes and I did nothing. Two pairs found that 6/4 and 1 1/2 wanted the same spot, and one of them shouted it so the whole court knew.",
			Evidence: "Exit slip: *place 7/8 and 5/4 on this line.* Before: 9 of 27 had both right. After: 21. A week later, without warning: 19.",
			Unsure:   "Six still think a bigger bottom number means a bigger fraction. The court did not shift them.",
			Next:     "Same lines, but they cut the court themselves with a rope before anybody gets a card.",
		})},
		{who: "harbour/owen", key: "fractions-1", on: "fractions", verb: answers, draft: says("I meet those six again in Year 9. What moved a few of mine: *one* rope, folded. Whoever folds more often holds a shorter piece, and nobody has to say the word denominator.\n\nCould I have your exit slip? I would like to give it to our new Year 9s in February, so we both know where they start.")},
		{who: "kauri/tomasi", key: "fractions-2", on: "fractions-1", verb: answers, draft: says("Folding before cutting, yes. That is better than my rope. The slip is one line and two numbers, take it: 7/8 and 5/4 on a line from 0 to 2. And please tell me what February says.")},
		{who: "harbour/owen", on: "fractions", verb: likes},
		{who: "harbour/owen", on: "fractions", verb: boosts},

		{who: "kauri/ruth", key: "q-noise", draft: titled(community.Question, "A quiet place in a room that has none?", community.Public, "One of our open rooms holds fifty people and has no corner. A few learners need somewhere calm for ten minutes, and I do not want it to look like a punishment or like a prize.\n\nWhat have you set up that the *whole* class may use, and that still works in the loud half hour before lunch?")},
		{who: "ring/jo", key: "q-noise-1", on: "q-noise", verb: answers, draft: says("A student teacher at another school of ours hung a curtain across the reading nook and put a sand timer on the shelf. Anyone may go, nobody asks why, and when the sand is through you come back or turn it once more. The timer does the talking, so no adult has to.")},
		{who: "harbour/grace", key: "q-noise-2", on: "q-noise", verb: answers, draft: says("We borrowed four pairs of ear defenders from the workshop and hung them by the door, next to the rulers. In a week they were furniture. The trick was to use them myself first, while marking.")},
		{who: "kauri/ruth", key: "q-noise-3", on: "q-noise-1", verb: answers, draft: says("The timer is what I was missing. *Turn it once more* leaves the choice with them. I am trying this tomorrow.")},
		{who: "kauri/ruth", on: "q-noise", verb: accepts, draft: community.Draft{Title: "q-noise-1"}},
		{who: "kauri/maia", on: "q-noise-1", verb: likes},

		{who: "harbour/priya", key: "fairtest", draft: practice("A fair test that was not fair, on purpose", "Science", "Year 9", community.Network, community.Sections{
			Tried:    "I demonstrated which paper towel soaks up most and cheated in five ways: different amounts of water, one towel folded, one dipped longer, one from a warm bench, one wrung out. I said nothing and asked for a conclusion.",
			Happened: "They wrote down my conclusion politely. Then somebody at the back said *but you held that one longer*, and within a minute they had all five and a sixth that I had not planned.",
			Evidence: "In their own investigations the week after, 24 of 28 named what they kept the same, without being asked. Last year, with the usual poster of variables, it was 11.",
			Unsure:   "Whether it lasts beyond paper towels. And whether I may lie to a class, even for ten minutes; I told them straight afterwards.",
			Next:     "They design an unfair test for me, and I have to find what is wrong with it.",
		})},
		{who: "kauri/tomasi", key: "fairtest-1", on: "fairtest", verb: answers, draft: says("We have Year 6 *science roadshow* in two weeks, and every year it is the same volcano. May I cheat at paper planes?")},
		{who: "harbour/priya", key: "fairtest-2", on: "fairtest-1", verb: answers, draft: says("Please do. Throw one of them harder and look innocent. And write down how long it takes them; mine needed four minutes.")},
		{who: "kauri/tomasi", key: "fairtest-used", on: "fairtest", verb: used, draft: community.Draft{Kind: community.Acknowledgement, Language: "en-NZ", Source: "I used this with paper planes. Ninety seconds. *Ninety seconds*, and then I had to stand on the line and throw them all the same, with a judge on each side."}},
		{who: "kauri/hemi", on: "fairtest", verb: likes},

		{who: "harbour/leilani", key: "drafts", draft: practice("Nothing is handed in the first time", "English", "Year 12", community.Public, community.Sections{
			Tried:    "For one essay there was no hand-in date, only three reading dates. Each time they brought what they had and read one paragraph aloud to one other person, who could say just two things: *I saw …* and *I lost you at …*",
			Happened: "Fewer empty pages on the first date than I have ever had on a last one. The second reading was the useful one; by the third some were polishing what should have been thrown out.",
			Evidence: "I marked as usual, with names covered, alongside a colleague. The middle of the class moved, the top did not. What moved most was the *second half* of the essays, which used to be notes in disguise.",
			Unsure:   "How to do this with five classes without living at school.",
			Next:     "Two reading dates, not three. And I will read a paragraph of my own.",
		})},
		{who: "ring/stellan", key: "drafts-1", on: "drafts", verb: answers, draft: says("*I lost you at* is kinder than any rubric and tells the writer more. Have you a copy of the two sentences as you put them on the wall? I know three schools who would hang them up.")},
		{who: "kauri/maia", key: "drafts-used", on: "drafts", verb: used, draft: community.Draft{Kind: community.Acknowledgement, Language: "en-NZ", Source: "I used the two sentences with Year 3, for stories of six lines. *I saw a dog* and *I lost you at the moon*. They understood at once that it is about the story and not about them."}},
		{who: "ring/aroha", on: "drafts", verb: boosts},
		{who: "harbour/dan", on: "drafts", verb: likes},

		{who: "ring/aroha", key: "d-transition", draft: titled(community.Discussion, "What do you wish the other school knew?", community.Public, "In December the Year 8s leave one set of rooms, and in February they arrive in another. Between the two lies a form with levels on it.\n\nI would like us to write the *other* half of that form together. Year 8 teachers: what should the next school know that has no box? Year 9 teachers: what do you find out in May that you would have liked to know in February?\n\nNo names of children here, please, only what would help any of them.")},
		{who: "kauri/hemi", key: "d-transition-1", on: "d-transition", verb: answers, draft: says("What has no box: *how they ask for help.* Some come to the desk, some go quiet, some make a joke. We know within a week, and it is nowhere on the form.")},
		{who: "harbour/owen", key: "d-transition-2", on: "d-transition", verb: answers, draft: says("What I find out in May: what they were *proud* of. I see the marks and never the thing they would show their grandmother. One photograph of one piece of work would do.")},
		{who: "harbour/dan", key: "d-transition-3", on: "d-transition-1", verb: answers, draft: says("Could each child write that line themselves? *When I am stuck I usually …* They could bring it on the first day, in their own hand. I would read thirty of those before I read thirty sets of levels.")},
		{who: "kauri/hemi", key: "d-transition-4", on: "d-transition-3", verb: answers, draft: says("Done in the last week of term, then. Aroha, if you make the card, we will fill in sixty of them.")},

		{who: "harbour/owen", key: "q-wrong", draft: titled(community.Question, "Which wrong answer do you look forward to?", community.Network, "Mine is √(a² + b²) = a + b. It tells me the learner is thinking about structure, and it is false in a way that is fun to find out.\n\nI am collecting mistakes that are worth an hour, from any subject and any level. What is yours, and what do you do when it turns up?")},
		{who: "kauri/tomasi", key: "q-wrong-1", on: "q-wrong", verb: answers, draft: says("*Multiplying makes things bigger.* We keep a wall of things that are true until they are not, and that one gets a frame when somebody finds a half.")},
		{who: "harbour/priya", key: "q-wrong-2", on: "q-wrong", verb: answers, draft: says("That plants get their food from the soil. I weigh the pot.")},

		{who: "harbour/grace", key: "passwords", draft: practice("Three words and a walk: passphrases in Year 7", "Digital technologies", "Year 7", community.Public, community.Sections{
			Tried:    "We walked around the field, and everybody collected three things that they saw, in the order in which they saw them. That was the passphrase. Back inside they wrote it down once, in a sealed envelope that stays with the office.",
			Happened: "No forgotten password in the first four weeks. The walk helps: they remember the place, then the words.",
			Evidence: "Resets per week in the two classes that walked: 0, 1, 0, 0. In the two that chose at their desk: 6, 4, 5, 3.",
			Unsure:   "How many chose *goalpost tree seagull*. I did not look, and I should not be able to.",
			Next:     "The walk again in Term 3, through the town, when we change them.",
		})},
		{who: "kauri/hemi", key: "passwords-used", on: "passwords", verb: used, draft: community.Draft{Kind: community.Acknowledgement, Language: "en-NZ", Source: "I used this with our Year 7s on a wet day, around the hall and the corridors. It works indoors, and the envelope in the office is what reassured the parents."}},

		{who: "ring/stellan", key: "records", draft: practice("Reading the same running record, nineteen of us", "English", "All levels", community.Network, community.Sections{
			Tried:    "One recording, one text, nineteen teachers from nine schools. Everyone took the record alone and then we laid them side by side.",
			Happened: "We agreed on the errors and not on the self-corrections. Where the reader paused and went on correctly, seven of us had written it down and twelve had not.",
			Evidence: "The accuracy figures lay between 93 and 96, so nobody's decision would have changed. The notes beside them had almost nothing in common, and those are what we teach from.",
			Unsure:   "Whether we need the same notes, or just to read each other's more often.",
			Next:     "In the new term two schools will swap one record a month. Ask me if yours would like to.",
		})},
		{who: "kauri/maia", key: "records-1", on: "records", verb: answers, draft: says("We would like to. I was one of the twelve, and since then I write the pauses down. They are where my reader does the work.")},
		{who: "kauri/ruth", on: "records", verb: likes},

		{who: "ring/jo", key: "d-first", draft: titled(community.Discussion, "The first thing somebody told you that was true", community.Followers, "On Monday six student teachers start in six of our schools. I would like to give each of them one sentence from somebody who has been there.\n\nNot advice, just one thing that was told to *you* in your first term, and turned out to be true.")},
		{who: "harbour/grace", key: "d-first-1", on: "d-first", verb: answers, draft: says("*Learn the caretaker's name before the principal's.* True within two days.")},

		{who: "kauri/hemi", key: "duty", draft: titled(community.Discussion, "Who has the key to the resource room?", community.School, "It was on the hook on Tuesday. If it went home in somebody's pocket, no questions, just the hook please.")},
		{who: "kauri/tomasi", key: "duty-1", on: "duty", verb: answers, draft: says("Mine. It is on the hook now, and I brought feijoas as an apology. They are beside the kettle.")},

		{who: "harbour/dan", key: "sources", draft: practice("A photograph, and twenty minutes of not knowing", "History", "Year 10", community.Public, community.Sections{
			Tried:    "One photograph of our own wharf from a hundred years ago, large, without a caption. For twenty minutes nobody was allowed to look anything up: only *I can see*, *so perhaps*, *I would need to know*.",
			Happened: "The list under *I would need to know* became the unit. They asked who is missing from the picture before I could.",
			Evidence: "Thirty-one questions on the board; I would have asked nine of them.",
			Unsure:   "A few found not knowing unbearable. I let them write the caption they believed in and seal it until the end.",
			Next:     "The same photograph with a Year 6 class, if anyone at Kauri Flat would lend me one for an hour.",
		})},
		{who: "kauri/tomasi", key: "sources-1", on: "sources", verb: answers, draft: says("Take mine. Their great-grandparents built half of that wharf, and some of the photographs are on our walls.")},
		{who: "harbour/dan", on: "sources-1", verb: likes},
		{who: "kauri/maia", key: "listening-edit", on: "listening", verb: edits, draft: practice("They listened to themselves read", "English", "Year 3", community.Public, community.Sections{
			Tried:    "Each child recorded one page on the class tablet and listened back **alone**, with a card of four pictures: *stop, sense, smooth, sound*. Then they chose one thing to try on the same page.\n\nWe did it at the end of guided reading, one group a day, about eight minutes.",
			Happened: "The first day was giggling. By Thursday two groups asked to go again. The card did more than I expected: they stopped asking me whether it was good and pointed at a picture instead.",
			Evidence: "I kept the first and the last recording of six readers. Five of them fixed at least one thing that I had been telling them about for weeks. Running records before and after are in my planning folder; the change in *self-corrections* is the one I believe.",
			Unsure:   "Is it the listening, or is it simply reading the page three times? **After the second week:** Stellan asked me to keep the choosing in both halves. The groups that reread and chose did almost as well. So a good part of it is the choosing.",
			Next:     "I keep the card for everyone, and the recording for those who ask for it.",
		})},
	}
}
