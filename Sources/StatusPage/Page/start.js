'use strict';

// Writes the shop's own address into the requests, and copies them.

const wordMilliseconds = 2_000;  // For which a button says what it has done.

for (const place of document.querySelectorAll('.origin')) place.textContent = location.origin;

// A browser has a clipboard for pages of this machine, and for those with TLS.
if (navigator.clipboard) {
  for (const item of document.querySelectorAll('#requests li')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    button.setAttribute('aria-label', `Copy: ${item.querySelector('h3').textContent}`);
    button.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(item.querySelector('code').textContent);
        button.textContent = 'Copied';
      } catch {
        button.textContent = 'Refused';
      }
      setTimeout(() => { button.textContent = 'Copy'; }, wordMilliseconds);
    });
    item.querySelector('h3').after(button);
  }
}
