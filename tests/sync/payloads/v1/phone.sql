BEGIN TRANSACTION;
CREATE TABLE "conflict" (
   "id" TEXT PRIMARY KEY,
   "seq" INTEGER,
   "generation" INTEGER,
   "household_id" TEXT,
   "state" TEXT,
   "values" TEXT
);
CREATE TABLE "consent" (
   "id" TEXT PRIMARY KEY,
   "seq" INTEGER DEFAULT 0,
   "server" TEXT,
   "epoch" TEXT,
   "generation" INTEGER DEFAULT 0,
   "household_id" TEXT,
   "member_id" TEXT,
   "consent_kind" TEXT,
   "text_version" TEXT,
   "given" INTEGER,
   "method" TEXT,
   "witness" TEXT,
   "consented_on" TEXT,
   "withdrawn_on" TEXT,
   "deleted" INTEGER
);
INSERT INTO "consent" VALUES('f7hjayxtth4mmer51',7,'{"household_id":"f7hjayxtth4mm","member_id":"f7hjayxtth4mm98qj","consent_kind":"survey","text_version":"2026-11","given":true,"method":"2","witness":"罗见证","consented_on":"2026-11-20"}','f5b165224a58b791',0,'f7hjayxtth4mm','f7hjayxtth4mm98qj','survey','2026-11',1,'2','罗见证','2026-11-20',NULL,NULL);
INSERT INTO "consent" VALUES('f7hjayxtth4mmytwn',8,'{"household_id":"f7hjayxtth4mm","member_id":"f7hjayxtth4mm98qj","consent_kind":"share_hr","text_version":"2026-11","given":true,"method":"2","witness":"罗见证","consented_on":"2026-11-20"}','f5b165224a58b791',0,'f7hjayxtth4mm','f7hjayxtth4mm98qj','share_hr','2026-11',1,'2','罗见证','2026-11-20',NULL,NULL);
INSERT INTO "consent" VALUES('fw5tk62ghthctrhgr',0,NULL,NULL,0,'fw5tk62ghthct','fw5tk62ghthctq506','survey','2026-11',1,'2','罗见证','2026-11-20',NULL,NULL);
INSERT INTO "consent" VALUES('fw5tk62ghthctdjcn',0,NULL,NULL,0,'fw5tk62ghthct','fw5tk62ghthctq506','share_hr','2026-11',1,'2','罗见证','2026-11-20',NULL,NULL);
CREATE TABLE "division" (
   "code" TEXT PRIMARY KEY,
   "name" TEXT,
   "level" INTEGER
);
INSERT INTO "division" VALUES('522326000000','望谟县',3);
INSERT INTO "division" VALUES('522326001000','王母街道',4);
INSERT INTO "division" VALUES('522326001001','河东社区',5);
INSERT INTO "division" VALUES('522326001002','河西社区',5);
INSERT INTO "division" VALUES('522326001004','城北社区',5);
INSERT INTO "division" VALUES('522326001201','王母村',5);
INSERT INTO "division" VALUES('522326001203','平绕村',5);
INSERT INTO "division" VALUES('522326001204','祥乐村',5);
CREATE TABLE "draft" (
   "record_id" TEXT,
   "field" TEXT,
   "kind" TEXT,
   "household_id" TEXT,
   "value" TEXT,
   "epoch" TEXT,
   "base" INTEGER,
   "at_ms" INTEGER,
   PRIMARY KEY ("record_id", "field")
);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0a','survey_date','household','5aaw2ytz3xq0a','"2026-11-20"','f5b165224a58b791',0,1795168989000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0a','village_code','household','5aaw2ytz3xq0a','"522326001001"','f5b165224a58b791',0,1795168989000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0a','group_no','household','5aaw2ytz3xq0a','"五组"','f5b165224a58b791',0,1795168989000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0awn26','household_id','member','5aaw2ytz3xq0a','"5aaw2ytz3xq0a"','f5b165224a58b791',0,1795168990000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0awn26','name','member','5aaw2ytz3xq0a','"蒙小妹"','f5b165224a58b791',0,1795168991000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0awn26','sex','member','5aaw2ytz3xq0a','"2"','f5b165224a58b791',0,1795168992000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0awn26','birth_date','member','5aaw2ytz3xq0a','"1995-02-03"','f5b165224a58b791',0,1795168993000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0awn26','relation','member','5aaw2ytz3xq0a','"02"','f5b165224a58b791',0,1795168994000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0awn26','work_form','member','5aaw2ytz3xq0a','"2"','f5b165224a58b791',0,1795168995000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0awn26','labour_ability','member','5aaw2ytz3xq0a','"1"','f5b165224a58b791',0,1795168996000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0a41wr','household_id','consent','5aaw2ytz3xq0a','"5aaw2ytz3xq0a"','f5b165224a58b791',0,1795168997000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0a41wr','member_id','consent','5aaw2ytz3xq0a','"5aaw2ytz3xq0awn26"','f5b165224a58b791',0,1795168997000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0a41wr','consent_kind','consent','5aaw2ytz3xq0a','"survey"','f5b165224a58b791',0,1795168997000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0a41wr','given','consent','5aaw2ytz3xq0a','true','f5b165224a58b791',0,1795168997000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0a41wr','method','consent','5aaw2ytz3xq0a','"2"','f5b165224a58b791',0,1795168997000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0a41wr','witness','consent','5aaw2ytz3xq0a','"罗见证"','f5b165224a58b791',0,1795168997000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0amgwr','household_id','consent','5aaw2ytz3xq0a','"5aaw2ytz3xq0a"','f5b165224a58b791',0,1795168998000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0amgwr','member_id','consent','5aaw2ytz3xq0a','"5aaw2ytz3xq0awn26"','f5b165224a58b791',0,1795168998000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0amgwr','consent_kind','consent','5aaw2ytz3xq0a','"share_hr"','f5b165224a58b791',0,1795168998000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0amgwr','given','consent','5aaw2ytz3xq0a','true','f5b165224a58b791',0,1795168998000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0amgwr','method','consent','5aaw2ytz3xq0a','"2"','f5b165224a58b791',0,1795168998000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0amgwr','witness','consent','5aaw2ytz3xq0a','"罗见证"','f5b165224a58b791',0,1795168998000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0aq1gc','household_id','intention','5aaw2ytz3xq0a','"5aaw2ytz3xq0a"','f5b165224a58b791',0,1795168999000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0aq1gc','member_id','intention','5aaw2ytz3xq0a','"5aaw2ytz3xq0awn26"','f5b165224a58b791',0,1795168999000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0aq1gc','wants_job','intention','5aaw2ytz3xq0a','"1"','f5b165224a58b791',0,1795168999000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0aq1gc','available_from','intention','5aaw2ytz3xq0a','"2026-11-20"','f5b165224a58b791',0,1795169000000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0aq1gc','reach','intention','5aaw2ytz3xq0a','"4"','f5b165224a58b791',0,1795169001000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0aq1gc','together_with','intention','5aaw2ytz3xq0a','"0"','f5b165224a58b791',0,1795169002000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0aq1gc','occupations','intention','5aaw2ytz3xq0a','["01"]','f5b165224a58b791',0,1795169003000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0aq1gc','wage_floor','intention','5aaw2ytz3xq0a','4500','f5b165224a58b791',0,1795169004000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0aq1gc','training_wish','intention','5aaw2ytz3xq0a','false','f5b165224a58b791',0,1795169005000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0aq1gc','startup_wish','intention','5aaw2ytz3xq0a','false','f5b165224a58b791',0,1795169006000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0aq1gc','public_post_wish','intention','5aaw2ytz3xq0a','false','f5b165224a58b791',0,1795169007000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0aq1gc','workshop_wish','intention','5aaw2ytz3xq0a','false','f5b165224a58b791',0,1795169008000);
INSERT INTO "draft" VALUES('5aaw2ytz3xq0aq1gc','needs_lodging','intention','5aaw2ytz3xq0a','true','f5b165224a58b791',0,1795169009000);
CREATE TABLE "household" (
   "id" TEXT PRIMARY KEY,
   "seq" INTEGER DEFAULT 0,
   "server" TEXT,
   "epoch" TEXT,
   "generation" INTEGER DEFAULT 0,
   "village_code" TEXT,
   "group_no" TEXT,
   "address" TEXT,
   "relocated" INTEGER,
   "relocation_site" TEXT,
   "former_village" TEXT,
   "registry_no" TEXT,
   "category" TEXT,
   "jdlk_from" TEXT,
   "jdlk_to" TEXT,
   "monitor_type" TEXT,
   "risk_cleared" INTEGER,
   "dibao" INTEGER,
   "tekun" INTEGER,
   "phone" TEXT,
   "no_phone_reason" TEXT,
   "helper_name" TEXT,
   "helper_phone" TEXT,
   "responsible_cadre" TEXT,
   "office_phone" TEXT,
   "yearly_income_band" TEXT,
   "labour_income_share" TEXT,
   "survey_date" TEXT,
   "survey_mode" TEXT,
   "respondent_relation" TEXT,
   "head_member_id" TEXT,
   "rule_reasons" TEXT,
   "deleted" INTEGER
);
INSERT INTO "household" VALUES('f7hjayxtth4mm',15,'{"village_code":"522326001001","group_no":"二组","address":"坡上新屋","relocated":false,"category":"1","dibao":false,"tekun":false,"phone":"13900000510","responsible_cadre":"测试村干","survey_date":"2026-11-20","survey_mode":"1","head_member_id":"f7hjayxtth4mm98qj"}','f5b165224a58b791',0,'522326001001','二组','坡上新屋',0,NULL,NULL,NULL,'1',NULL,NULL,NULL,NULL,0,0,'13900000511',NULL,NULL,NULL,'测试村干',NULL,NULL,NULL,'2026-11-20','1',NULL,'f7hjayxtth4mm98qj',NULL,NULL);
INSERT INTO "household" VALUES('fw5tk62ghthct',0,NULL,NULL,0,'522326001001','二组',NULL,0,NULL,NULL,NULL,'1',NULL,NULL,NULL,NULL,0,0,'13900000530',NULL,NULL,NULL,'测试村干',NULL,NULL,NULL,'2026-11-20','1',NULL,'fw5tk62ghthctq506',NULL,NULL);
CREATE TABLE "intention" (
   "id" TEXT PRIMARY KEY,
   "seq" INTEGER DEFAULT 0,
   "server" TEXT,
   "epoch" TEXT,
   "generation" INTEGER DEFAULT 0,
   "household_id" TEXT,
   "member_id" TEXT,
   "wants_job" TEXT,
   "not_leaving_reason" TEXT,
   "available_from" TEXT,
   "reach" TEXT,
   "regions" TEXT,
   "together_with" TEXT,
   "together_members" TEXT,
   "any_occupation" INTEGER,
   "occupations" TEXT,
   "industries" TEXT,
   "wage_floor" INTEGER,
   "needs_lodging" INTEGER,
   "needs_meals" INTEGER,
   "night_shift_ok" INTEGER,
   "share_ethnic" INTEGER,
   "training_wish" INTEGER,
   "courses" TEXT,
   "course_attend" TEXT,
   "startup_wish" INTEGER,
   "startup_item" TEXT,
   "public_post_wish" INTEGER,
   "workshop_wish" INTEGER,
   "referred_by_broker" TEXT,
   "confirmed_on" TEXT,
   "deleted" INTEGER
);
INSERT INTO "intention" VALUES('f7hjayxtth4mm6851',13,'{"household_id":"f7hjayxtth4mm","member_id":"f7hjayxtth4mm98qj","wants_job":"1","available_from":"2026-11-20","reach":"4","together_with":"0","occupations":["01"],"wage_floor":5000,"needs_lodging":true,"needs_meals":true,"training_wish":false,"startup_wish":false,"public_post_wish":false,"workshop_wish":false,"confirmed_on":"2026-11-20"}','f5b165224a58b791',0,'f7hjayxtth4mm','f7hjayxtth4mm98qj','1',NULL,'2026-11-20','4',NULL,'0',NULL,NULL,'["01"]',NULL,5000,0,1,NULL,NULL,0,NULL,NULL,0,NULL,0,0,NULL,'2026-11-20',NULL);
INSERT INTO "intention" VALUES('fw5tk62ghthctpzk6',0,NULL,NULL,0,'fw5tk62ghthct','fw5tk62ghthctq506','1',NULL,'2026-11-20','4',NULL,'0',NULL,NULL,'["01"]',NULL,4500,1,NULL,NULL,NULL,0,NULL,NULL,0,NULL,0,0,NULL,'2026-11-20',NULL);
CREATE TABLE "member" (
   "id" TEXT PRIMARY KEY,
   "seq" INTEGER DEFAULT 0,
   "server" TEXT,
   "epoch" TEXT,
   "generation" INTEGER DEFAULT 0,
   "household_id" TEXT,
   "id_no" TEXT,
   "no_id_reason" TEXT,
   "name" TEXT,
   "sex" TEXT,
   "birth_date" TEXT,
   "relation" TEXT,
   "member_change" TEXT,
   "lives_here" INTEGER,
   "hukou_village" TEXT,
   "phone" TEXT,
   "ethnic" TEXT,
   "in_school" TEXT,
   "graduates_on" TEXT,
   "education" TEXT,
   "illiterate" INTEGER,
   "marital" TEXT,
   "political" TEXT,
   "speaks_mandarin" TEXT,
   "health" TEXT,
   "disability_level" TEXT,
   "labour_ability" TEXT,
   "skills" TEXT,
   "work_form" TEXT,
   "work_region" TEXT,
   "work_place_code" TEXT,
   "work_employer" TEXT,
   "work_occupation" TEXT,
   "work_wage" INTEGER,
   "work_since" TEXT,
   "work_months" INTEGER,
   "work_channel" TEXT,
   "person_no" TEXT,
   "deleted" INTEGER
);
INSERT INTO "member" VALUES('f7hjayxtth4mm98qj',12,'{"household_id":"f7hjayxtth4mm","id_no":"522399198503125111","name":"韦正明","sex":"1","birth_date":"1985-03-12","relation":"02","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"1","skills":[{"cert_date":"2020-05-01","cert_no":"甲510","level":"1","occupation":"01"}],"work_form":"2","work_region":"2","work_place_code":"522326000000","work_months":6}','f5b165224a58b791',0,'f7hjayxtth4mm','522399198503125111',NULL,'韦正明','1','1985-03-12','02',NULL,1,NULL,NULL,'09','0',NULL,'70',NULL,'20',NULL,'1','["2"]',NULL,'1','[{"cert_date":"2020-05-01","cert_no":"甲510","level":"1","occupation":"01"}]','2','2','522326000000',NULL,NULL,NULL,NULL,6,NULL,NULL,NULL);
INSERT INTO "member" VALUES('f7hjayxtth4mmxmqr',3,'{"household_id":"f7hjayxtth4mm","id_no":"522399198707045121","name":"岑秀兰","sex":"2","birth_date":"1987-07-04","relation":"10","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"4","work_form":"7"}','f5b165224a58b791',0,'f7hjayxtth4mm','522399198707045121',NULL,'岑秀兰','2','1987-07-04','10',NULL,1,NULL,NULL,'09','0',NULL,'70',NULL,'20',NULL,'1','["2"]',NULL,'4',NULL,'7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "member" VALUES('f7hjayxtth4mm0p05',4,'{"household_id":"f7hjayxtth4mm","id_no":"522399196001095144","name":"罗阿妹","sex":"2","birth_date":"1960-01-09","relation":"52","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"3","work_form":"7"}','f5b165224a58b791',0,'f7hjayxtth4mm','522399196001095144',NULL,'罗阿妹','2','1960-01-09','52',NULL,1,NULL,NULL,'09','0',NULL,'70',NULL,'20',NULL,'1','["2"]',NULL,'3',NULL,'7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "member" VALUES('f7hjayxtth4mmda5c',16,'{"household_id":"f7hjayxtth4mm","name":"韦小军","sex":"1","birth_date":"2015-05-05","relation":"20","lives_here":true,"in_school":"1","deleted":true}','f5b165224a58b791',0,'f7hjayxtth4mm',NULL,NULL,'韦小军','1','2015-05-05','20',NULL,1,NULL,NULL,NULL,'1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1);
INSERT INTO "member" VALUES('fw5tk62ghthctq506',0,NULL,NULL,0,'fw5tk62ghthct','522399198503125314',NULL,'陆正明','1','1985-03-12','02',NULL,1,NULL,NULL,'09','0',NULL,'70',NULL,'20',NULL,'1','["2"]',NULL,'1',NULL,'7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "member" VALUES('fw5tk62ghthctvgjq',0,NULL,NULL,0,'fw5tk62ghthct','522399198707045324',NULL,'岑秀兰','2','1987-07-04','10',NULL,1,NULL,NULL,'09','0',NULL,'70',NULL,'20',NULL,'1','["2"]',NULL,'4',NULL,'7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "member" VALUES('fw5tk62ghthct9fg3',0,NULL,NULL,0,'fw5tk62ghthct','522399196001095347',NULL,'罗阿妹','2','1960-01-09','52',NULL,1,NULL,NULL,'09','0',NULL,'70',NULL,'20',NULL,'1','["2"]',NULL,'3',NULL,'7',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "member" VALUES('fw5tk62ghthct3vsa',0,NULL,NULL,0,'fw5tk62ghthct',NULL,NULL,'陆小军','1','2015-05-05','20',NULL,1,NULL,NULL,NULL,'1',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE "meta" (
   "key" TEXT PRIMARY KEY,
   "value" TEXT
);
INSERT INTO "meta" VALUES('incarnation','"7hs8gc5sh3p53"');
INSERT INTO "meta" VALUES('schema','1');
INSERT INTO "meta" VALUES('server','"http://127.0.0.1:1"');
INSERT INTO "meta" VALUES('token','"148ded7e8a34888d396cab3b80d27f58df111a3b3df245ada90802389a78cdc2"');
INSERT INTO "meta" VALUES('device_id','"f0v9zxxr1jsn0"');
INSERT INTO "meta" VALUES('epoch','"f5b165224a58b791"');
INSERT INTO "meta" VALUES('county','"522326"');
INSERT INTO "meta" VALUES('scope','"522326001"');
INSERT INTO "meta" VALUES('cadre','"测试村干"');
INSERT INTO "meta" VALUES('office_phone','null');
INSERT INTO "meta" VALUES('cursor','"f5b165224a58b791.522326001.18.53676da4"');
INSERT INTO "meta" VALUES('last_result','{"sent":0,"received":0,"applied":0,"merged":0,"held":0,"conflicts":0,"returned":1,"remaining":0,"unconfirmed":0,"error":null,"finished_at_ms":1795168916000}');
INSERT INTO "meta" VALUES('next_n','16');
INSERT INTO "meta" VALUES('last_at_ms','1795169009000');
CREATE TABLE "outbox" (
   "id" INTEGER PRIMARY KEY,
   "incarnation" TEXT,
   "n" INTEGER,
   "kind" TEXT,
   "record_id" TEXT,
   "household_id" TEXT,
   "epoch" TEXT,
   "base" INTEGER,
   "at_ms" INTEGER,
   "values" TEXT,
   "state" TEXT,
   "outcome" TEXT,
   "reason" TEXT,
   "seq" INTEGER,
   "seen_seq" INTEGER,
   "covered" INTEGER,
   "answered_at_ms" INTEGER
);
INSERT INTO "outbox" VALUES(1,'7hs8gc5sh3p53',1,'household','f7hjayxtth4mm','f7hjayxtth4mm','',0,1795168813000,'{"village_code":"522326001001","group_no":"二组","relocated":false,"category":"1","dibao":false,"tekun":false,"phone":"13900000510","responsible_cadre":"测试村干","survey_date":"2026-11-20","survey_mode":"1","head_member_id":"f7hjayxtth4mm98qj"}','acked','applied',NULL,1,NULL,1,1795168887000);
INSERT INTO "outbox" VALUES(2,'7hs8gc5sh3p53',2,'member','f7hjayxtth4mm98qj','f7hjayxtth4mm','',0,1795168879000,'{"household_id":"f7hjayxtth4mm","id_no":"522399198503125111","name":"韦正明","sex":"1","birth_date":"1985-03-12","relation":"02","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"1","skills":[{"occupation":"01","level":"1","cert_no":"甲510","cert_date":"2020-05-01"}],"work_form":"2","work_region":"2","work_place_code":"522326000000","work_wage":2800,"work_months":5}','acked','applied',NULL,2,NULL,1,1795168887000);
INSERT INTO "outbox" VALUES(3,'7hs8gc5sh3p53',3,'member','f7hjayxtth4mmxmqr','f7hjayxtth4mm','',0,1795168839000,'{"household_id":"f7hjayxtth4mm","id_no":"522399198707045121","name":"岑秀兰","sex":"2","birth_date":"1987-07-04","relation":"10","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"4","work_form":"7"}','acked','applied',NULL,3,NULL,1,1795168887000);
INSERT INTO "outbox" VALUES(4,'7hs8gc5sh3p53',4,'member','f7hjayxtth4mm0p05','f7hjayxtth4mm','',0,1795168853000,'{"household_id":"f7hjayxtth4mm","id_no":"522399196001095144","name":"罗阿妹","sex":"2","birth_date":"1960-01-09","relation":"52","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"3","work_form":"7"}','acked','applied',NULL,4,NULL,1,1795168887000);
INSERT INTO "outbox" VALUES(5,'7hs8gc5sh3p53',5,'member','f7hjayxtth4mmda5c','f7hjayxtth4mm','',0,1795168860000,'{"household_id":"f7hjayxtth4mm","name":"韦小军","sex":"1","birth_date":"2015-05-05","relation":"20","lives_here":true,"in_school":"1"}','acked','applied',NULL,5,NULL,1,1795168887000);
INSERT INTO "outbox" VALUES(6,'7hs8gc5sh3p53',6,'intention','f7hjayxtth4mm6851','f7hjayxtth4mm','',0,1795168880000,'{"household_id":"f7hjayxtth4mm","member_id":"f7hjayxtth4mm98qj","wants_job":"1","available_from":"2026-11-20","reach":"4","together_with":"0","occupations":["01"],"wage_floor":4500,"needs_lodging":true,"training_wish":false,"startup_wish":false,"public_post_wish":false,"workshop_wish":false,"confirmed_on":"2026-11-20"}','acked','applied',NULL,6,NULL,1,1795168887000);
INSERT INTO "outbox" VALUES(7,'7hs8gc5sh3p53',7,'consent','f7hjayxtth4mmer51','f7hjayxtth4mm','',0,1795168862000,'{"household_id":"f7hjayxtth4mm","member_id":"f7hjayxtth4mm98qj","consent_kind":"survey","text_version":"2026-11","given":true,"method":"2","witness":"罗见证","consented_on":"2026-11-20"}','acked','applied',NULL,7,NULL,1,1795168887000);
INSERT INTO "outbox" VALUES(8,'7hs8gc5sh3p53',8,'consent','f7hjayxtth4mmytwn','f7hjayxtth4mm','',0,1795168863000,'{"household_id":"f7hjayxtth4mm","member_id":"f7hjayxtth4mm98qj","consent_kind":"share_hr","text_version":"2026-11","given":true,"method":"2","witness":"罗见证","consented_on":"2026-11-20"}','acked','applied',NULL,8,NULL,1,1795168887000);
INSERT INTO "outbox" VALUES(9,'7hs8gc5sh3p53',9,'placement','f7hjayxtth4mmtsnr','f7hjayxtth4mm','',0,1795168882000,'{"household_id":"f7hjayxtth4mm","member_id":"f7hjayxtth4mm98qj","placement_kind":"5","employer_name":"坎边零工点","place_code":"522326000000","started_on":"2026-06-01","monthly_wage":2800,"contract":false,"responsible":"测试村干","state":"on_job"}','acked','applied',NULL,9,NULL,1,1795168887000);
INSERT INTO "outbox" VALUES(10,'7hs8gc5sh3p53',10,'household','f7hjayxtth4mm','f7hjayxtth4mm','f5b165224a58b791',1,1795168890000,'{"address":"坡上新屋","survey_date":"2026-11-20"}','acked','applied',NULL,11,NULL,1,1795168900000);
INSERT INTO "outbox" VALUES(11,'7hs8gc5sh3p53',11,'member','f7hjayxtth4mm98qj','f7hjayxtth4mm','f5b165224a58b791',2,1795168892000,'{"work_wage":null,"work_months":6}','acked','applied',NULL,12,NULL,1,1795168900000);
INSERT INTO "outbox" VALUES(12,'7hs8gc5sh3p53',12,'intention','f7hjayxtth4mm6851','f7hjayxtth4mm','f5b165224a58b791',6,1795168894000,'{"wage_floor":5000,"needs_meals":true}','acked','applied',NULL,13,NULL,1,1795168900000);
INSERT INTO "outbox" VALUES(13,'7hs8gc5sh3p53',13,'household','f7hjayxtth4mm','f7hjayxtth4mm','f5b165224a58b791',11,1795168903000,'{"survey_date":"2026-11-20"}','acked','applied',NULL,15,NULL,1,1795168909000);
INSERT INTO "outbox" VALUES(14,'7hs8gc5sh3p53',14,'member','f7hjayxtth4mmda5c','f7hjayxtth4mm','f5b165224a58b791',5,1795168903000,'{"deleted":true}','acked','applied',NULL,16,NULL,1,1795168909000);
INSERT INTO "outbox" VALUES(15,'7hs8gc5sh3p53',15,'household','f7hjayxtth4mm','f7hjayxtth4mm','f5b165224a58b791',15,1795168918000,'{"phone":"13900000511","survey_date":"2026-11-20"}','sent',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(16,NULL,NULL,'intention','f7hjayxtth4mm6851','f7hjayxtth4mm','f5b165224a58b791',13,1795168917000,'{"needs_lodging":false}','waiting',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(17,NULL,NULL,'household','fw5tk62ghthct','fw5tk62ghthct','f5b165224a58b791',0,1795168926000,'{"village_code":"522326001001","group_no":"二组","relocated":false,"category":"1","dibao":false,"tekun":false,"phone":"13900000530","responsible_cadre":"测试村干","survey_date":"2026-11-20","survey_mode":"1","head_member_id":"fw5tk62ghthctq506"}','waiting',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(18,NULL,NULL,'member','fw5tk62ghthctq506','fw5tk62ghthct','f5b165224a58b791',0,1795168974000,'{"household_id":"fw5tk62ghthct","id_no":"522399198503125314","name":"陆正明","sex":"1","birth_date":"1985-03-12","relation":"02","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"1","work_form":"7"}','waiting',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(19,NULL,NULL,'member','fw5tk62ghthctvgjq','fw5tk62ghthct','f5b165224a58b791',0,1795168952000,'{"household_id":"fw5tk62ghthct","id_no":"522399198707045324","name":"岑秀兰","sex":"2","birth_date":"1987-07-04","relation":"10","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"4","work_form":"7"}','waiting',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(20,NULL,NULL,'member','fw5tk62ghthct9fg3','fw5tk62ghthct','f5b165224a58b791',0,1795168966000,'{"household_id":"fw5tk62ghthct","id_no":"522399196001095347","name":"罗阿妹","sex":"2","birth_date":"1960-01-09","relation":"52","lives_here":true,"ethnic":"09","in_school":"0","education":"70","marital":"20","speaks_mandarin":"1","health":["2"],"labour_ability":"3","work_form":"7"}','waiting',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(21,NULL,NULL,'member','fw5tk62ghthct3vsa','fw5tk62ghthct','f5b165224a58b791',0,1795168973000,'{"household_id":"fw5tk62ghthct","name":"陆小军","sex":"1","birth_date":"2015-05-05","relation":"20","lives_here":true,"in_school":"1"}','waiting',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(22,NULL,NULL,'intention','fw5tk62ghthctpzk6','fw5tk62ghthct','f5b165224a58b791',0,1795168987000,'{"household_id":"fw5tk62ghthct","member_id":"fw5tk62ghthctq506","wants_job":"1","available_from":"2026-11-20","reach":"4","together_with":"0","occupations":["01"],"wage_floor":4500,"needs_lodging":true,"training_wish":false,"startup_wish":false,"public_post_wish":false,"workshop_wish":false,"confirmed_on":"2026-11-20"}','waiting',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(23,NULL,NULL,'consent','fw5tk62ghthctrhgr','fw5tk62ghthct','f5b165224a58b791',0,1795168975000,'{"household_id":"fw5tk62ghthct","member_id":"fw5tk62ghthctq506","consent_kind":"survey","text_version":"2026-11","given":true,"method":"2","witness":"罗见证","consented_on":"2026-11-20"}','waiting',NULL,NULL,NULL,NULL,0,NULL);
INSERT INTO "outbox" VALUES(24,NULL,NULL,'consent','fw5tk62ghthctdjcn','fw5tk62ghthct','f5b165224a58b791',0,1795168976000,'{"household_id":"fw5tk62ghthct","member_id":"fw5tk62ghthctq506","consent_kind":"share_hr","text_version":"2026-11","given":true,"method":"2","witness":"罗见证","consented_on":"2026-11-20"}','waiting',NULL,NULL,NULL,NULL,0,NULL);
CREATE TABLE "placement" (
   "id" TEXT PRIMARY KEY,
   "seq" INTEGER DEFAULT 0,
   "server" TEXT,
   "epoch" TEXT,
   "generation" INTEGER DEFAULT 0,
   "household_id" TEXT,
   "member_id" TEXT,
   "placement_kind" TEXT,
   "employer_name" TEXT,
   "place_code" TEXT,
   "occupation" TEXT,
   "started_on" TEXT,
   "monthly_wage" INTEGER,
   "contract" INTEGER,
   "social_insurance" INTEGER,
   "channel" TEXT,
   "agency" TEXT,
   "broker" TEXT,
   "referred_by" TEXT,
   "responsible" TEXT,
   "state" TEXT,
   "ended_on" TEXT,
   "end_reason" TEXT,
   "jdlk_at_start" INTEGER,
   "verified_by" TEXT,
   "deleted" INTEGER
);
INSERT INTO "placement" VALUES('f7hjayxtth4mmtsnr',9,'{"household_id":"f7hjayxtth4mm","member_id":"f7hjayxtth4mm98qj","placement_kind":"5","employer_name":"坎边零工点","place_code":"522326000000","started_on":"2026-06-01","monthly_wage":2800,"contract":false,"responsible":"测试村干","state":"on_job"}','f5b165224a58b791',0,'f7hjayxtth4mm','f7hjayxtth4mm98qj','5','坎边零工点','522326000000',NULL,'2026-06-01',2800,0,NULL,NULL,NULL,NULL,NULL,'测试村干','on_job',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE "position" (
   "household_id" TEXT PRIMARY KEY,
   "village_code" TEXT,
   "record_id" TEXT,
   "group_name" TEXT,
   "field" TEXT,
   "open" INTEGER
);
INSERT INTO "position" VALUES('5aaw2ytz3xq0a','522326001001','5aaw2ytz3xq0aq1gc','terms','needs_lodging',1);
CREATE TABLE "review" (
   "household_id" TEXT PRIMARY KEY,
   "seq" INTEGER,
   "generation" INTEGER,
   "state" TEXT,
   "comments" TEXT,
   "decided_at_ms" INTEGER
);
INSERT INTO "review" VALUES('f7hjayxtth4mm',18,0,'returned','[{"field":"needs_lodging","kind":"intention","record_id":"f7hjayxtth4mm6851","text":"要不要住宿?"},{"field":"phone","kind":"household","record_id":"f7hjayxtth4mm","text":"电话打不通"}]',1795168912000);
CREATE UNIQUE INDEX "idx_outbox_incarnation_n"
    ON "outbox" ("incarnation", "n");
CREATE INDEX "idx_outbox_record_id"
    ON "outbox" ("record_id");
CREATE INDEX "idx_outbox_state"
    ON "outbox" ("state");
CREATE INDEX "idx_draft_household_id"
    ON "draft" ("household_id");
CREATE INDEX "idx_conflict_household_id"
    ON "conflict" ("household_id");
CREATE INDEX "idx_household_village_code"
    ON "household" ("village_code");
CREATE INDEX "idx_household_phone"
    ON "household" ("phone");
CREATE INDEX "idx_member_household_id"
    ON "member" ("household_id");
CREATE INDEX "idx_member_id_no"
    ON "member" ("id_no");
CREATE INDEX "idx_member_phone"
    ON "member" ("phone");
CREATE INDEX "idx_intention_household_id"
    ON "intention" ("household_id");
CREATE INDEX "idx_consent_household_id"
    ON "consent" ("household_id");
CREATE INDEX "idx_placement_household_id"
    ON "placement" ("household_id");
COMMIT;
