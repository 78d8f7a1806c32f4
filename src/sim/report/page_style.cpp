#include "sim/report/page_style.hpp"

namespace virga {

const std::string_view k_page_style = R"css(
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#5b6675;--grid:#e3e7ec;--axis:#9aa5b1;
--p0:#3b6fb6;--p1:#e9a13b;--p2:#3aa17e;--p3:#8d6cc2;--p4:#c95f7b;--p5:#6b7a8c;--want:#c2352b;--fault:#d62828;
--s0a:#d9e8f5;--s0b:#c6dbee;--s1a:#a3cbe8;--s1b:#8fbede;--s2a:#55a3d0;--s2b:#4695c4;--s3a:#2171b5;--s3b:#1a64a4;
--s4a:#5a3f9e;--s4b:#4d348c;--s5a:#2a1458;--s5b:#1f0e45;--idle:#f1e7d3;--boot:#f3c969}
@media(prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1a2029;--ink:#e5eaf0;--soft:#98a4b3;--grid:#2a323d;
--axis:#5b6675;--p0:#5b8fd6;--p1:#e0a04a;--p2:#4db892;--p3:#a488d8;--p4:#d97f97;--p5:#8594a6;--want:#ff7b6e;
--fault:#ff5c5c;--s0a:#24405a;--s0b:#2b4a67;--s1a:#2f6390;--s1b:#386f9e;--s2a:#4a96c9;--s2b:#59a3d4;--s3a:#8cc7ea;
--s3b:#9ed1ef;--s4a:#b79cf0;--s4b:#c5aef5;--s5a:#f0dcff;--s5b:#f7ebff;--idle:#3a3427;--boot:#8a6a1f}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1220px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:27px;line-height:1.2;margin:0 0 4px}h2{font-size:18px;margin:0 0 2px}
h3{font-size:13px;font-weight:500;color:var(--soft);margin:0}
.note,.sub{color:var(--soft);margin:2px 0 10px;font-size:13.5px;max-width:130ch}
section{background:var(--card);border:1px solid var(--grid);border-radius:10px;padding:16px 20px;margin-top:18px}
.tiles{display:grid;grid-template-columns:repeat(5,1fr);gap:12px;margin-top:18px}
.tile{background:var(--card);border:1px solid var(--grid);border-radius:10px;padding:12px 14px}
.tile b{font-size:23px;font-weight:650;line-height:1.35}.tile p{margin:2px 0 0;font-size:12.5px;color:var(--soft);
line-height:1.35}
@media(max-width:1000px){.tiles{grid-template-columns:repeat(auto-fill,minmax(190px,1fr))}}
svg.plot{display:block;width:100%;height:auto;user-select:none}
.grid{stroke:var(--grid)}.axis{stroke:var(--axis)}.level{stroke:var(--soft);stroke-dasharray:5 4}
.tick{font-size:12px;fill:var(--soft)}.end{text-anchor:end}.mid{text-anchor:middle}
.strong{font-weight:600;fill:var(--ink)}.halo{paint-order:stroke;stroke:var(--card);stroke-width:4px}
.line{fill:none;stroke-width:1.7;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.soft{opacity:.28}.run{fill:none;vector-effect:none}.leaf{fill:none;stroke:var(--axis);stroke-width:4}
.fault{fill:none;stroke:var(--fault);stroke-width:1.6;vector-effect:non-scaling-stroke}
.fill.p0,.fill.a0{fill:var(--p0)}.fill.p1{fill:var(--p1)}.fill.p2{fill:var(--p2)}.fill.p3{fill:var(--p3)}
.fill.p4{fill:var(--p4)}.fill.p5{fill:var(--p5)}.fill.a1{fill:var(--p4)}
.line.a0{stroke:var(--p0)}.line.a1{stroke:var(--p4)}.line.ink{stroke:var(--ink)}
.line.want{stroke:var(--want);stroke-width:1.1}
.line.fault{stroke:var(--fault)}.dot.a1{fill:var(--p4)}
.point{stroke:var(--card);stroke-width:2}.q0{fill:var(--p0)}.q1{fill:var(--p1)}.q2{fill:var(--p2)}.q3{fill:var(--p3)}
.q4{fill:var(--ink)}.q5{fill:var(--p5)}
.run.s0a{stroke:var(--s0a)}.run.s0b{stroke:var(--s0b)}.run.s1a{stroke:var(--s1a)}.run.s1b{stroke:var(--s1b)}
.run.s2a{stroke:var(--s2a)}.run.s2b{stroke:var(--s2b)}.run.s3a{stroke:var(--s3a)}.run.s3b{stroke:var(--s3b)}
.run.s4a{stroke:var(--s4a)}.run.s4b{stroke:var(--s4b)}.run.s5a{stroke:var(--s5a)}.run.s5b{stroke:var(--s5b)}
.run.idle{stroke:var(--idle)}.run.boot{stroke:var(--boot)}
.fill.s0a{fill:var(--s0a)}.fill.s1a{fill:var(--s1a)}.fill.s2a{fill:var(--s2a)}.fill.s3a{fill:var(--s3a)}
.fill.s4a{fill:var(--s4a)}.fill.s5a{fill:var(--s5a)}.fill.idle{fill:var(--idle)}.fill.boot{fill:var(--boot)}
.cursor{stroke:var(--ink);stroke-dasharray:3 3;pointer-events:none}.drag{fill:var(--p0);opacity:.18}
#tip{position:fixed;pointer-events:none;background:var(--card);border:1px solid var(--axis);border-radius:8px;
padding:7px 11px;font-size:12.5px;line-height:1.45;box-shadow:0 4px 18px #0003;display:none;max-width:380px;z-index:9}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
th{text-align:left;color:var(--soft);font-weight:500;border-bottom:1px solid var(--axis);padding:5px 10px 5px 0}
td{border-bottom:1px solid var(--grid);padding:5px 10px 5px 0}.n{text-align:right}
footer{color:var(--soft);font-size:12.5px;margin-top:22px}
)css";

const std::string_view k_page_script = R"js(
const L=84,W=1040,tip=document.getElementById('tip'),view=RUNS.map(()=>[0,1]);
const clock=s=>{const p=n=>String(n).padStart(2,'0'),m=Math.floor(s/60);
return 'day '+Math.floor(m/1440)+', '+p(Math.floor(m/60)%24)+':'+p(m%60)};
const plots=r=>document.querySelectorAll('svg.time[data-run="'+r+'"]');
const el=(n,a)=>{const e=document.createElementNS('http://www.w3.org/2000/svg',n);for(const k in a)
e.setAttribute(k,a[k]);
return e};
const at=(svg,e)=>{const b=svg.getBoundingClientRect();return[(e.clientX-b.left)/b.width*1140-L,
(e.clientY-b.top)*1140/b.width-svg.dataset.top]};
function zoom(r,a,b){view[r]=[a,b];for(const svg of plots(r)){for(const z of svg.querySelectorAll('.zoom'))
z.setAttribute('viewBox',a*W+' 0 '+(b-a)*W+' '+z.getAttribute('height'));
for(const g of svg.querySelectorAll('.times')){if(!g.all){g.all=g.innerHTML;const l=g.querySelector('line');
g.y1=l.getAttribute('y1');g.y2=+l.getAttribute('y2')}
if(a==0&&b==1){g.innerHTML=g.all;continue}g.textContent='';for(let i=0;i<=4;i++){const x=L+W*i/4;
g.append(el('line',{x1:x,x2:x,y1:g.y1,y2:g.y2,class:'grid'}));
const t=el('text',{x:x,y:g.y2+14,class:'tick '+(i==4?'end':'mid')});
t.textContent=clock(RUNS[r].span*(a+(b-a)*i/4));g.append(t)}}}}
function gangAt(d,x,y){let line=-1;for(let i=0;i<d.gantt.y.length&&d.gantt.y[i]<=y;i++)line=i;
if(line<0)return null;const hit=d.gantt.gangs.find(g=>{if(x<g[0]||x>g[1])return false;
for(let i=3;i<g.length;i+=2)if(line>=g[i]&&line<=g[i+1])return true;return false});return[d.gantt.rows[line],hit]}
for(const svg of document.querySelectorAll('svg.time')){const r=+svg.dataset.run,d=RUNS[r];let from=null,box=null;
const hide=()=>{tip.style.display='none';for(const c of document.querySelectorAll('.cursor'))c.remove()};
svg.onmousemove=e=>{hide();const[px,y]=at(svg,e);if(px<0||px>W)return;
const f=view[r][0]+px/W*(view[r][1]-view[r][0]);
for(const s of plots(r))s.append(el('line',{x1:L+px,x2:L+px,y1:s.dataset.top,
y2:+s.dataset.top+ +s.dataset.height,class:'cursor'}));
if(from!==null){box.setAttribute('x',L+Math.min(from,px));box.setAttribute('width',Math.abs(px-from))}
const rows=[clock(f*d.span)];if(svg.closest('section').classList.contains('gantt')){const g=gangAt(d,f*W,y);
if(g){rows.push('node '+g[0]);if(g[1])rows.push(g[1][2])}}
for(const s of d.series)rows.push(s.n+': '+
Math.round(s.v[Math.min(s.v.length-1,Math.floor(f*s.v.length))]).toLocaleString('en'));
tip.textContent='';rows.forEach((t,i)=>{const p=document.createElement(i?'div':'b');p.textContent=t;tip.append(p)});
tip.style.display='block';tip.style.left=Math.min(e.clientX+16,innerWidth-300)+'px';
tip.style.top=Math.max(8,Math.min(e.clientY+14,innerHeight-tip.offsetHeight-8))+'px'};
svg.onmouseleave=()=>{hide();if(box)box.remove();from=box=null};
svg.onmousedown=e=>{const x=at(svg,e)[0];if(x<0||x>W)return;from=x;
box=el('rect',{x:L+x,y:svg.dataset.top,width:0,height:svg.dataset.height,class:'drag'});svg.append(box)};
svg.onmouseup=e=>{if(from===null)return;const x=Math.max(0,Math.min(W,at(svg,e)[0])),v=view[r];
const a=v[0]+Math.min(from,x)/W*(v[1]-v[0]),b=v[0]+Math.max(from,x)/W*(v[1]-v[0]);
box.remove();from=box=null;if(b-a>.0005)zoom(r,a,b)};
svg.ondblclick=()=>zoom(r,0,1)}
)js";

}  // namespace virga
