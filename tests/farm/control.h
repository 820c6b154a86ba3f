/* The farm's own socket: a line in, an answer out, closed.
 *
 *   mood WHO TEXT       WHO is a server's name, several with commas, or "all"; TEXT as mood.h has it
 *   restart WHO         told: calls end, Shutdown, away for a moment
 *   kill WHO            the same, as by kill -9
 *   cut WHO             connections end, calls go on
 *   hangup WHO          the called parties hang up every answered call
 *   show                a line of JSON for each server
 */
#ifndef CCS_TESTS_FARM_CONTROL_H
#define CCS_TESTS_FARM_CONTROL_H

#include "tests/farm/farm.h"

MUST_USE bool control_open(struct farm *farm, const char *path, struct err *err);

/* Does one command; appends its answer, which ends in "ok" or "error: why" and a line's end. */
void control_do(struct farm *farm, struct str command, struct strbuf *answer);

/* The other end: sends words as one command and prints the answer. The program's exit status. */
int control_tell(const char *path, char **words, int n);

#endif
