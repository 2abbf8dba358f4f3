/** Megabits per second of the two connections whose time the page names. */
const speeds = [50, 10];

export function FirstUse({ bytes }: { bytes: number }) {
  const times = speeds.map((speed) => `${Math.round((8 * bytes) / 1e6 / speed)} seconds at ${speed}\u00a0Mbit/s`);
  return (
    <div class="first-use">
      <h2>The first time takes a moment</h2>
      <p>
        The model draws in this browser, not on a server. Before the first picture, the page downloads it:{' '}
        <strong>{Math.round(bytes / 1e6)} MB</strong>, which takes {times.join(', or ')}.
      </p>
      <ul>
        <li>It is kept in this browser. The next visit starts at once, and works without a network.</li>
        <li>Nine pictures then take about a second on a laptop.</li>
        <li>What you write is not sent anywhere.</li>
      </ul>
      <p>
        It is a small model that learned from emoji: it draws small pictures of 128 × 128 pixels, and it is often wrong.
        Simple things work best.
      </p>
    </div>
  );
}
