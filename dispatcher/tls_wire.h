/* The TLS wire: a process that speaks TLS with Asterisk servers, so that the dispatcher's child need not.
 *
 *   child, holder ──Unix stream, in clear── wire ──TLS── Asterisk          one pair for each server
 *
 * Why a process of its own: the child may be killed at any moment, and its successor goes on with the same connections.
 * A socket survives that in the holder's copy, what OpenSSL keeps in memory does not. So TLS lives where nobody is killed
 * on purpose, and what child and holder have is a socket like any other. It is not the holder itself, because that one
 * must not fail, and OpenSSL reads what strangers send. When the wire dies its connections are lost like those of a
 * server that went away: they are made anew, and calls are compared.
 *
 * The holder starts it when the first connection is asked for (tls_link.h), and again when it has died and another is.
 * One thread, one poll, nothing here blocks but the reading of a file of certificates.
 */
#ifndef CCS_DISPATCHER_TLS_WIRE_H
#define CCS_DISPATCHER_TLS_WIRE_H

/* Serves what comes in on the listening socket until SIGTERM, and then what is there for a moment longer; returns the
 * process's exit status. */
int tls_wire_run(int listener);

#endif
