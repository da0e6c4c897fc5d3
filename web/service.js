// Keeps the page for later: what was loaded once plays without a network.

const KEPT = 'tubetwin';

self.addEventListener('install', (event) => {
  self.skipWaiting();
  event.waitUntil(keepAll());
});
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

// The network first, so that a new page is never hidden behind an old one.
self.addEventListener('fetch', (event) => {
  if (event.request.method === 'GET' && event.request.url.startsWith(self.location.origin))
    event.respondWith(fresh(event.request));
});

async function keepAll() {
  const offer = await (await fetch('page.json')).json();
  const kept = await caches.open(KEPT);
  await kept.addAll(offer.files);
}

async function fresh(request) {
  const kept = await caches.open(KEPT);
  try {
    const answer = await fetch(request);
    if (answer.status === 200) await kept.put(request, answer.clone());
    return answer;
  } catch (error) {
    const answer = await kept.match(request, { ignoreSearch: true });
    if (answer) return answer;
    throw error;
  }
}
