import { AwsClient } from 'aws4fetch';

/** A server of the S3 protocol. Keys come from `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`. */
export interface S3Options {
  /** Default: `AWS_ENDPOINT_URL`, or Amazon's. */
  readonly endpoint?: string | undefined;
  /** Default: `AWS_REGION`, or `us-east-1`. */
  readonly region?: string | undefined;
}

/** How the objects of a server of the S3 protocol are requested. */
export interface S3Access {
  /** The URL of the server, without a slash at its end. */
  readonly endpoint: string;
  /** Signs and sends a request, and again after the statuses 429 and 5xx. */
  readonly fetch: (url: string, init?: RequestInit) => Promise<Response>;
}

/** Returns the access to a server of the S3 protocol. Without keys in the environment, requests are not signed, for public buckets. */
export function s3Access({ endpoint, region }: S3Options = {}): S3Access {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_ENDPOINT_URL, AWS_REGION } = process.env;
  const usedRegion = region ?? AWS_REGION ?? 'us-east-1';
  const base = (endpoint ?? AWS_ENDPOINT_URL ?? `https://s3.${usedRegion}.amazonaws.com`).replace(/\/$/, '');
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return { endpoint: base, fetch };
  const client = new AwsClient({
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
    region: usedRegion,
    service: 's3',
    retries: 5,
  });
  return { endpoint: base, fetch: (url, init) => client.fetch(url, init) };
}
