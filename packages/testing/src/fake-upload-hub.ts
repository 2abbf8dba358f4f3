import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const hash = (algorithm: string, ...parts: (string | Uint8Array)[]) =>
  parts.reduce((sum, part) => sum.update(part), createHash(algorithm)).digest('hex');

/** A file of a branch: of git, or of Git LFS. */
interface Stored {
  readonly content: Buffer;
  readonly lfs: boolean;
}

interface Branch {
  commit: string;
  readonly files: Map<string, Stored>;
}

/** What the next request of a kind gets instead of what is right. It may let the request have its effect first. */
export type Fault = (response: ServerResponse, act: () => void, body: Buffer) => void;

type Kind =
  | 'content'
  | 'model'
  | 'create'
  | 'branch'
  | 'listing'
  | 'preupload'
  | 'batch'
  | 'put'
  | 'complete'
  | 'verify'
  | 'commit';

/**
 * A hub that takes uploads, and a store for large files: two hosts of this computer. It checks what it gets as the real
 * one does: the token, checksums, parts, the parent of a commit, and that the store has the large files of a commit.
 */
export class FakeUploadHub {
  readonly token = 'hf_fake';
  readonly repositories = new Map<string, { isPrivate: boolean; branches: Map<string, Branch> }>();
  /** The large files, by their SHA-256. */
  readonly objects = new Map<string, Buffer>();
  readonly faults = new Map<Kind, Fault[]>();
  /** The kinds of the requests, in order. */
  readonly received: Kind[] = [];
  /** The messages of the commits. */
  readonly messages: string[] = [];
  /** Files of at least this number of bytes are large. */
  largeFrom = 1000;
  /** Files above this number of bytes are sent in parts of this number. */
  partSize = Number.POSITIVE_INFINITY;
  private readonly parts = new Map<string, Buffer>();
  private readonly hub = createServer((request, response) => this.receive(request, response));
  private readonly store = createServer((request, response) => this.receive(request, response));

  get url(): string {
    return urlOf(this.hub);
  }

  async start(): Promise<void> {
    for (const server of [this.hub, this.store])
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  }

  async stop(): Promise<void> {
    for (const server of [this.hub, this.store]) {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    }
  }

  create(repo: string, isPrivate = false): void {
    const first = { commit: hash('sha1', repo), files: new Map() };
    this.repositories.set(repo, { isPrivate, branches: new Map([['main', first]]) });
  }

  /** The files of a branch, as text. */
  contents(repo: string, branch = 'main'): Record<string, string> {
    const files = this.repositories.get(repo)?.branches.get(branch)?.files ?? new Map<string, Stored>();
    return Object.fromEntries([...files].map(([name, { content }]) => [name, content.toString('latin1')]));
  }

  failOnce(kind: Kind, ...faults: Fault[]): void {
    this.faults.set(kind, [...(this.faults.get(kind) ?? []), ...faults]);
  }

  private receive(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const url = new URL(request.url!, this.url);
      const path = decodeURIComponent(url.pathname);
      const kind = kindOf(path);
      this.received.push(kind);
      let done: [status: number, value?: unknown, headers?: Record<string, string>] | undefined;
      const act = () => {
        done ??= this.answer(kind, path, request, body);
      };
      const fault = this.faults.get(kind)?.shift();
      if (fault) return fault(response, act, body);
      act();
      const [status, value, headers] = done!;
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(value === undefined ? '' : value instanceof Buffer ? value : JSON.stringify(value));
    });
  }

  private answer(
    kind: Kind,
    path: string,
    request: IncomingMessage,
    body: Buffer,
  ): [status: number, value?: unknown, headers?: Record<string, string>] {
    const { authorization } = request.headers;
    if (kind === 'put') {
      // Addresses of a store are signed, and it gets no token.
      if (authorization !== undefined) return [400, { error: 'Only one auth mechanism allowed' }];
      if (request.headers['content-length'] === undefined) return [501, { error: 'A header implies functionality' }];
      return this.put(path, body);
    }
    if (authorization !== `Bearer ${this.token}`)
      return [401, { error: 'Invalid credentials in Authorization header' }];
    const [, repo = '', branch = ''] =
      /^\/(?:api\/models\/)?([\w-]+\/[\w.-]+?)(?:\.git)?(?:\/\w+\/(.*?))?$/.exec(path) ?? [];
    const found = this.repositories.get(repo);
    const json = () => JSON.parse(body.toString());
    if (kind === 'create') {
      const { organization, name, private: isPrivate = false } = json();
      if (this.repositories.has(`${organization}/${name}`))
        return [409, { error: 'You already created this model repo' }];
      this.create(`${organization}/${name}`, isPrivate);
      return [200, { url: `${this.url}/${organization}/${name}` }];
    }
    if (kind === 'complete') {
      const { oid, parts } = json() as { oid: string; parts: { partNumber: number; etag: string }[] };
      const contents = parts.map(({ partNumber }) => this.parts.get(`${oid}/${partNumber}`) ?? Buffer.alloc(0));
      const matches = parts.every(({ etag }, i) => etag === `"${hash('md5', contents[i]!)}"`);
      return matches ? this.put(`/store/${oid}`, Buffer.concat(contents)) : [400, { error: 'Wrong parts' }];
    }
    if (kind === 'verify') return this.objects.has(json().oid) ? [200, {}] : [404, { error: 'Object not found' }];
    if (!found) return [404, { error: 'Repository not found' }];
    if (kind === 'content') {
      const [commit, ...name] = branch.split('/');
      const at = [...found.branches.values()].find((candidate) => candidate.commit === commit);
      const file = at?.files.get(name.join('/'));
      return file ? [200, file.content] : [404, { error: 'Entry not found' }];
    }
    if (kind === 'model') return [200, { id: repo, private: found.isPrivate }];
    if (kind === 'batch') return [200, { objects: json().objects.map((object: never) => this.lfsObject(object)) }];
    if (kind === 'branch') {
      if (found.branches.has(branch)) return [409, { error: 'Reference already exists' }];
      const { commit, files } = found.branches.get('main')!;
      found.branches.set(branch, { commit, files: new Map(files) });
      return [200, {}];
    }
    const to = found.branches.get(branch) ?? [...found.branches.values()].find(({ commit }) => commit === branch);
    if (!to) return [404, { error: 'Invalid rev id' }];
    if (kind === 'listing') return [200, path.includes('/revision/') ? { sha: to.commit } : listingOf(to)];
    if (kind === 'preupload') {
      const files = json().files.map(({ path: name, size }: { path: string; size: number }) => {
        return { path: name, uploadMode: size >= this.largeFrom ? 'lfs' : 'regular' };
      });
      return [200, { files }];
    }
    return this.commit(to, body);
  }

  private lfsObject({ oid, size }: { oid: string; size: number }): object {
    if (this.objects.has(oid)) return { oid, size };
    const store = urlOf(this.store);
    const verify = { href: `${this.url}/verify` };
    if (size <= this.partSize) return { oid, size, actions: { upload: { href: `${store}/store/${oid}` }, verify } };
    const addresses = Array.from({ length: Math.ceil(size / this.partSize) }, (_, i) => {
      return [String(i + 1).padStart(5, '0'), `${store}/store/${oid}/${i + 1}`];
    });
    const header = { chunk_size: String(this.partSize), ...Object.fromEntries(addresses) };
    return { oid, size, actions: { upload: { href: `${this.url}/complete`, header }, verify } };
  }

  private put(path: string, body: Buffer): [number, unknown?, Record<string, string>?] {
    const [, oid, part] = /^\/store\/(\w+)(?:\/(\d+))?$/.exec(path)!;
    if (part !== undefined) this.parts.set(`${oid}/${part}`, body);
    else if (hash('sha256', body) === oid) this.objects.set(oid, body);
    else return [400, { error: 'The Content-SHA256 you specified did not match what we received' }];
    return [200, undefined, { etag: `"${hash('md5', body)}"` }];
  }

  private commit(branch: Branch, body: Buffer): [number, unknown] {
    const lines = body
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const { summary, parentCommit } = lines[0].value;
    if (parentCommit !== branch.commit)
      return [412, { error: 'A commit has happened since. Please refresh and try again.' }];
    const files = new Map<string, Stored>();
    for (const { key, value } of lines.slice(1)) {
      const content = key === 'file' ? Buffer.from(value.content, value.encoding) : this.objects.get(value.oid);
      if (content === undefined || (key === 'lfsFile' && content.byteLength !== value.size))
        return [400, { error: `LFS pointer of ${value.path} points to a file that does not exist` }];
      files.set(value.path, { content, lfs: key === 'lfsFile' });
    }
    for (const [name, file] of files) branch.files.set(name, file);
    branch.commit = hash('sha1', branch.commit, body);
    this.messages.push(summary);
    return [200, { success: true, commitOid: branch.commit, commitUrl: '' }];
  }
}

function kindOf(path: string): Kind {
  if (path === '/api/repos/create') return 'create';
  if (path.startsWith('/store/')) return 'put';
  if (/^\/[^/]+\/[^/]+\/resolve\//.test(path)) return 'content';
  if (path.endsWith('/info/lfs/objects/batch')) return 'batch';
  const [, action] = /^\/(?:api\/models\/[^/]+\/[^/]+\/)?(\w+)/.exec(path) ?? [];
  if (action === 'revision' || action === 'tree') return 'listing';
  return ['branch', 'preupload', 'complete', 'verify', 'commit'].includes(action!) ? (action as Kind) : 'model';
}

function listingOf({ files }: Branch): object[] {
  return [...files].map(([path, { content, lfs }]) => {
    const size = content.byteLength;
    const oid = hash('sha1', `blob ${size}\0`, content);
    return { type: 'file', path, size, oid, ...(lfs && { lfs: { oid: hash('sha256', content), size } }) };
  });
}

const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** Breaks the connection, before or after the request has had its effect. */
export const broken =
  (options: { after?: boolean } = {}): Fault =>
  (response, act) => {
    if (options.after) act();
    response.destroy();
  };

/** Refuses with a status and a reason. */
export const refused =
  (status: number, error: string): Fault =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
  };
