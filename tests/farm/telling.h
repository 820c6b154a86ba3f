/* In which order the events of one moment come. What happens to a channel, what happens to a dial, its Cdr and its
 * OriginateResponse travel through Asterisk by different ways, and overtake one another as often as was measured. */
#ifndef CCS_TESTS_FARM_TELLING_H
#define CCS_TESTS_FARM_TELLING_H

#include "tests/farm/channel.h"

/* Newchannel to DialBegin; in a few calls whose outcome comes at once only behind the OriginateResponse. */
void tell_begin(struct channel *channel, bool decided_at_once);

/* The state becomes Ringing; what is told first may not know it yet. */
void tell_ringing(struct channel *channel);

/* It is up. */
void tell_answer(struct channel *channel);

/* It has ended and was never up, or was: channel->ended_by says who ended it. */
void tell_failure(struct channel *channel);
void tell_hangup(struct channel *channel);

#endif
