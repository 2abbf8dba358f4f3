import type { ServerResponse } from 'node:http';
import { OptionError } from '@dalle-mini/core';
import { RequestError } from './errors.js';

/** What a client is told of an error. */
export interface Failure {
  readonly status: number;
  /** The kind of the error, such as `QUEUE_FULL`. */
  readonly code: string;
  readonly message: string;
}

/** Returns what a client is told of an error. What is wrong inside of the server stays there. */
export function failureOf(error: unknown): Failure {
  if (error instanceof RequestError) return { status: error.status, code: error.kind, message: error.message };
  if (OptionError.isInstance(error)) return { status: 400, code: error.code, message: error.message };
  return { status: 500, code: 'INTERNAL', message: 'The server failed. Its log has the reason.' };
}

export function setHeaders(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  setHeaders(response, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.writeHead(status).end(JSON.stringify(value));
}

/** Answers with an error as JSON. Returns what the client is told. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (error instanceof RequestError) setHeaders(response, error.headers);
  const { status, code, message } = failureOf(error);
  sendJson(response, { error: { code, message } }, status);
}
