/* Submit ring and bell (shm/submit.h, shm/bell.h): two workers announce what they have committed, the dispatcher sleeps when
 * there is nothing. Workers may be killed between any two steps; the dispatcher, too, and begins again. Whatever is in a ring
 * is taken, and nothing is taken twice; the dispatcher never sleeps beside a record that its worker has rung for. What a killed
 * worker could not announce is the sweep's business, and so is a worker killed between its record and the bell.
 *
 * -DSLEEPS_AT_ONCE   the dispatcher does not look again after it has armed the bell
 * -DTAIL_FIRST       a worker moves the tail before the record is written */
#define WORKERS 2
#define RECORDS 3 /* each worker's */
#define RING 2

byte ring[4]; /* RING words of each worker; 0: nothing that makes sense */
byte tail[WORKERS], head[WORKERS];
bit armed = 0, rung = 0;
bit silent[WORKERS];	/* killed before it could ring for what it has pushed */
byte taken[8];		/* by record: worker * 4 + number */
byte kills = 0;

#define SLOT(w, at) ring[w * RING + at % RING]
#define WAITS (head[0] != tail[0] || head[1] != tail[1])

inline maybe_killed(w) {
	if
	:: true
	:: kills < 2 -> kills++; silent[w] = (head[w] != tail[w]); goto over
	fi
}

proctype worker(byte w) {
	byte n = 1;
	do
	:: n > RECORDS -> break
	:: else ->
		if
		:: tail[w] - head[w] >= RING -> skip	/* full: the sweep finds it */
		:: else ->
#ifdef TAIL_FIRST
			tail[w] = tail[w] + 1;
			maybe_killed(w);
			SLOT(w, (tail[w] - 1)) = n;
#else
			SLOT(w, tail[w]) = n;
			maybe_killed(w);
			tail[w] = tail[w] + 1;
#endif
			maybe_killed(w);
			atomic { if :: armed -> armed = 0; rung = 1 :: else fi }
		fi;
		n++
	od;
over:	skip
}

inline take(w) {
	if
	:: head[w] != tail[w] ->
		record = SLOT(w, head[w]);
		SLOT(w, head[w]) = 0;
		assert(record != 0);
		taken[w * 4 + record]++;
		assert(taken[w * 4 + record] == 1);
		head[w] = head[w] + 1
	:: else
	fi
}

active proctype dispatcher() {
	byte record;
again:	do
	:: WAITS -> take(0); take(1)
	:: !WAITS ->
		atomic { armed = 1 };
#ifndef SLEEPS_AT_ONCE
		if
		:: WAITS -> goto again
		:: else
		fi;
#endif
end:		rung;			/* sleeps; a valid place to be at the end */
		rung = 0;
		armed = 0
	od
}

init {
	atomic { run worker(0); run worker(1) };
	/* All workers have ended and the dispatcher sleeps. */
	(_nr_pr == 2);
	do
	:: timeout -> break
	od;
	assert(!WAITS || silent[0] || silent[1])
}
