// Keeps the visitor's token in a cookie for the time of the browser's session; tells the server of one set before.
export default function({ data, setTriggerValue }) {
  const set = document.cookie.split('; ').find(cookie => cookie.startsWith(`${data.name}=`));
  if (set) {
    const known = set.slice(data.name.length + 1);
    if (known !== data.token) setTriggerValue('known', known);
    return;
  }
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `${data.name}=${data.token}; path=/; SameSite=Strict${secure}`;
}
