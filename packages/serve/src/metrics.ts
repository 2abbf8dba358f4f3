import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { JobQueue } from './queue.js';

/** How a job ended. */
export type Outcome = 'done' | 'cancelled' | 'failed' | 'refused';

/** The metrics of a server, and those of its process. */
export class Metrics {
  readonly registry = new Registry();
  readonly requests: Counter<'route' | 'status'>;
  readonly jobs: Counter<'outcome'>;
  readonly images: Counter;
  readonly waitSeconds: Histogram;
  readonly generateSeconds: Histogram;

  constructor(queue: JobQueue) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.requests = new Counter({
      name: 'dalle_mini_requests_total',
      help: 'Answered requests',
      labelNames: ['route', 'status'],
      registers,
    });
    this.jobs = new Counter({
      name: 'dalle_mini_jobs_total',
      help: 'Requests to generate images, by how they ended',
      labelNames: ['outcome'],
      registers,
    });
    this.images = new Counter({ name: 'dalle_mini_images_total', help: 'Generated images', registers });
    const buckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
    this.waitSeconds = new Histogram({
      name: 'dalle_mini_wait_seconds',
      help: 'Time that a job waits in the queue',
      buckets,
      registers,
    });
    this.generateSeconds = new Histogram({
      name: 'dalle_mini_generate_seconds',
      help: 'Time that the images of a job take',
      buckets,
      registers,
    });
    new Gauge({
      name: 'dalle_mini_queue_length',
      help: 'Jobs that wait',
      registers,
      collect() {
        this.set(queue.length);
      },
    });
    new Gauge({
      name: 'dalle_mini_jobs_running',
      help: 'Jobs that run',
      registers,
      collect() {
        this.set(queue.running);
      },
    });
  }
}
