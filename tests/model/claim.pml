/* Claim and recovery (dispatcher/journal.c, recover.c, fence.h): entries of one chunk, a dispatcher that may be killed between
 * any two steps, and PostgreSQL, which carries out what a killed one had sent whenever it likes, or never. Nobody is dialled
 * twice, and at the end every entry has ended.
 *
 * A slot goes PLANNED -> (row committed) -> SENT -> dialled -> ENDED -> (detail committed) -> free. Slots outlive a life.
 *
 * -DNO_FENCE         a life asks what is journalled while the one before may still be committing
 * -DDIALS_FIRST      the Originate is written before its row is committed
 * -DSENT_AFTERWARDS  the slot says SENT only when the bytes have left */
#define ENTRIES 2
#define KILLS 2

mtype = {FREE, PLANNED, ARMED, SENT, ENDED};

mtype slot[ENTRIES];	/* in the segment */
bool journalled[ENTRIES], detailed[ENTRIES]; /* in PostgreSQL */
byte dialled[ENTRIES];	/* at Asterisk */
byte on_its_way = 255;	/* an entry whose row PostgreSQL has been sent, by a session that has ended */
byte kills = 0;

inline maybe_killed() {
	if
	:: true
	:: kills < KILLS -> kills++; goto life
	fi
}

/* The session of a killed life ends: with the row, or without. */
inline end_session() {
	if
	:: on_its_way == 255
	:: on_its_way != 255 -> journalled[on_its_way] = true; on_its_way = 255
	:: on_its_way != 255 -> on_its_way = 255
	fi
}

inline dial(e) {
	assert(dialled[e] == 0);
	dialled[e]++
}

inline write(e) {
#ifdef SENT_AFTERWARDS
	dial(e);
	maybe_killed();
	slot[e] = SENT;
#else
	slot[e] = SENT;
	maybe_killed();
	dial(e);
#endif
	maybe_killed()
}

inline finish(e) {
	slot[e] = ENDED;
	maybe_killed();
	detailed[e] = true;
	maybe_killed();
	slot[e] = FREE
}

inline plan(e) {
	slot[e] = PLANNED;
	maybe_killed();
#ifdef DIALS_FIRST
	dial(e);
	maybe_killed();
#endif
	if
	:: kills < KILLS -> kills++; on_its_way = e; goto life	/* killed behind the sending */
	:: atomic { !journalled[e] -> journalled[e] = true }; slot[e] = ARMED
	:: atomic { journalled[e] -> slot[e] = FREE }		/* another life's: not ours to dial */
	fi;
	maybe_killed()
}

/* What the slot says of the life before. A SENT one that was not dialled is unknown, which is an end. */
inline resume(e) {
	if
	:: slot[e] == PLANNED && journalled[e] -> slot[e] = ARMED
	:: slot[e] == PLANNED && !journalled[e] -> slot[e] = FREE
	:: else
	fi
}

inline work(e) {
	if
	:: slot[e] == FREE && !detailed[e] && !journalled[e] -> plan(e)
	:: else
	fi;
#ifndef DIALS_FIRST
	if
	:: slot[e] == ARMED -> write(e)
	:: else
	fi;
#endif
	if
	:: slot[e] == SENT || slot[e] == ENDED || slot[e] == ARMED -> finish(e)
	:: else
	fi
}

active proctype dispatcher() {
	byte e;
	e = 0;
	do
	:: e < ENTRIES -> slot[e] = FREE; e++
	:: else -> break
	od;
life:
#ifndef NO_FENCE
	end_session();
#endif
	e = 0;
	do
	:: e < ENTRIES -> resume(e); maybe_killed(); e++
	:: else -> break
	od;
#ifdef NO_FENCE
	end_session();
#endif
	e = 0;
	do
	:: e < ENTRIES -> work(e); e++
	:: else -> break
	od;
	e = 0;
	do
	:: e < ENTRIES -> assert(detailed[e] && slot[e] == FREE); e++
	:: else -> break
	od
}
